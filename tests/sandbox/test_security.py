"""Pages of other sites have no access, and security headers are set."""

from __future__ import annotations

import http.client

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from tests.tables import for_each

PATHS = [
    ("GET", "/"),
    ("GET", "/sandbox/messages"),
    ("DELETE", "/sandbox/messages"),
    ("POST", "/sandbox/webhook"),
    ("GET", "/sandbox/webhook"),
    ("POST", "/sandbox/pushes"),
    ("POST", "/sandbox/windows"),
    ("POST", "/wa/custom/sendMsg"),
    ("GET", "/none"),
]


def ask(sandbox, method, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@for_each("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_names_of_this_machine_are_accepted_as_the_host(sandbox, name):
    assert ask(sandbox, "GET", "/", Host=f"{name}:{sandbox.port}").status == 200


@for_each(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1:{port}.evil.example", ""],
)
@for_each(("method", "path"), PATHS)
def test_another_host_is_refused_on_every_path(wire, message, host, method, path):
    sandbox = wire.sandbox
    wire.custom(message())
    answer = ask(sandbox, method, path, Host=host.format(port=sandbox.port))
    assert answer.status == 403
    assert len(sandbox.messages) == len(sandbox.requests) == 1


@for_each(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "ws://127.0.0.1:{port}",
        "http://127.0.0.1:{port}@evil",
        "",
    ],
)
@for_each(("method", "path"), PATHS)
def test_another_origin_is_refused_on_every_path(wire, message, origin, method, path):
    sandbox = wire.sandbox
    wire.custom(message())
    host = f"127.0.0.1:{sandbox.port}"
    answer = ask(sandbox, method, path, Host=host, Origin=origin.format(port=sandbox.port))
    assert answer.status == 403
    assert len(sandbox.messages) == len(sandbox.requests) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_sandboxs_own_origin_is_accepted(sandbox, name):
    host = f"{name}:{sandbox.port}"
    for scheme in ("http", "https"):
        answer = ask(sandbox, "DELETE", "/sandbox/messages", Host=host, Origin=f"{scheme}://{host}")
        assert answer.status == 204


def test_a_request_without_a_host_header_is_refused(sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    connection.putrequest("GET", "/", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_the_refusal_names_the_header(wire, sandbox):
    answer = wire.session.get(sandbox.url, headers={"Origin": "http://evil.example"}, timeout=5)
    assert answer.json()["error"].startswith("Origin: ")
    answer = wire.session.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5)
    assert answer.json()["error"].startswith("Host: 'evil.example' is not a name of the sandbox")
    assert "--allowed-host" in answer.json()["error"]


@for_each(("method", "path"), [*PATHS, ("GET", "/sms/getBalance"), ("POST", "/sandbox/faults")])
@for_each("host", ["127.0.0.1:{port}", "evil.example"])
def test_every_answer_has_security_headers(sandbox, method, path, host):
    answer = ask(sandbox, method, path, Host=host.format(port=sandbox.port))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers.get("Access-Control-Allow-Origin") is None
    assert answer.headers.get_all("Date")[1:] == []
    assert answer.headers.get("Server") is None


def test_the_bound_host_is_accepted_as_the_host(start_sandbox):
    sandbox = start_sandbox(host="0.0.0.0")
    assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
    assert ask(sandbox, "GET", "/", Host=f"0.0.0.0:{sandbox.port}").status == 200


@pytest.mark.parametrize("address", ["10.0.0.5", "[fd00::5]", "192.168.178.20"])
def test_bound_to_any_address_all_ip_addresses_are_accepted_as_the_host(start_sandbox, sandbox, address):
    everywhere = start_sandbox(host="0.0.0.0")
    host = f"{address}:{everywhere.port}"
    assert ask(everywhere, "GET", "/", Host=host).status == 200
    assert ask(everywhere, "DELETE", "/sandbox/messages", Host=host, Origin=f"http://{host}").status == 204
    # A page on another machine must not use it, although its host is an IP address too.
    other = f"http://10.0.0.66:{everywhere.port}"
    assert ask(everywhere, "DELETE", "/sandbox/messages", Host=host, Origin=other).status == 403
    assert ask(everywhere, "GET", "/", Host=f"{address}:1").status == 403
    assert ask(everywhere, "GET", "/", Host=f"evil.example:{everywhere.port}").status == 403
    assert ask(sandbox, "GET", "/", Host=f"{address}:{sandbox.port}").status == 403


def test_allowed_hosts_are_accepted_as_host_and_origin(start_sandbox):
    sandbox = start_sandbox(allowed_hosts=["Host.Docker.internal", "box:9000"])
    for host in ("host.docker.internal", "HOST.docker.internal:8025", "box:9000"):
        assert ask(sandbox, "GET", "/", Host=host).status == 200
        answer = ask(sandbox, "DELETE", "/sandbox/messages", Host=host, Origin=f"http://{host}".lower())
        assert answer.status == 204
    assert ask(start_sandbox(allowed_hosts="box"), "GET", "/", Host="box").status == 200
    standard = start_sandbox(allowed_hosts=["plain:80", "tls:443"])
    assert [ask(standard, "GET", "/", Host=host).status for host in ("plain", "tls", "tls:444")] == [
        200,
        200,
        403,
    ]
    for host in ("box", "box:9001", "docker.internal", "host.docker.internal.evil.example"):
        assert ask(sandbox, "GET", "/", Host=host).status == 403


@for_each("name", ["", "http://box", "box/", "a b", "box:port", "*", "box:123456"])
def test_an_invalid_allowed_host_is_refused(name):
    with pytest.raises(ValueError, match="allowed_hosts: a host such as sandbox"):
        Sandbox(allowed_hosts=[name])
