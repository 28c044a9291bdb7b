"""What Airflow masks, and what the hook's and the client's repr never contain."""

from __future__ import annotations

from urllib.parse import quote

from airflow.providers.common.compat.sdk import redact

from airflow_provider_itnio.hooks.itnio import ItnioHook


def test_airflow_masks_key_secret_and_proxy_password_after_the_hook_reads_them(connect):
    fields = {"login": "keyOf9Finance", "password": "secretOf9Finance"}
    connect(**fields, extra={"proxy": "http://me:proxyOf9Finance@proxy.example.com"})
    ItnioHook().get_conn()
    line = redact("keyOf9Finance and secretOf9Finance and proxyOf9Finance, 9Finance")
    assert line == "*** and *** and ***, 9Finance"


def test_a_proxy_password_is_masked_both_plain_and_percent_encoded(connect):
    connect(extra={"proxy": f"http://me:{quote('pass@7Finance', safe='')}@proxy.example.com"})
    ItnioHook().get_conn()
    assert "7Finance" not in str(redact("pass@7Finance pass%407Finance"))


def test_neither_hook_nor_client_shows_a_secret(connect):
    connect(
        login="keyOf8Finance", password="secretOf8Finance", extra={"proxy": "http://me:Of8Finance@p.example"}
    )
    hook = ItnioHook()
    client = hook.get_conn()
    shown = f"{hook!r} {vars(hook)} {client!r} {client._settings!r} {client._protocol._credentials!r}"
    assert "Of8Finance" not in shown
