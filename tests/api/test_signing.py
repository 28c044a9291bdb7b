from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.protocol import Protocol
from airflow_provider_itnio.api.signing import Credentials
from tests.tables import for_each

DOCUMENTED = Credentials("bDqJFiq9", "7bz1lzh9")
SIGN = "05d7a50893e22a5c4bb3216ae3396c7c"


def test_the_documentations_example_gives_the_documented_sign() -> None:
    assert DOCUMENTED.sign("1630468800") == SIGN


def test_the_sign_header_is_made_from_the_timestamp_header() -> None:
    expected = {"Sign": SIGN, "Timestamp": "1630468800", "Api-Key": "bDqJFiq9"}
    for now in (1630468800, 1630468800.999):
        assert Protocol(DOCUMENTED, lambda now=now: now).signed_headers() == expected


def test_another_secret_or_second_gives_another_sign() -> None:
    assert DOCUMENTED.sign("1630468801") != SIGN
    assert Credentials("bDqJFiq9", "7bz1lzh8").sign("1630468800") != SIGN


def test_non_ascii_letters_are_signed_as_utf_8() -> None:
    assert Credentials("k", "密").sign("1") == "40820ff33bdc4045510790af7523533a"


def test_the_repr_of_credentials_does_not_show_them() -> None:
    for text in (repr(DOCUMENTED), str(DOCUMENTED), f"{DOCUMENTED}"):
        assert "bDqJFiq9" not in text
        assert "7bz1lzh9" not in text


def test_equal_credentials_are_equal_dict_keys() -> None:
    assert {DOCUMENTED: 1}[Credentials("bDqJFiq9", "7bz1lzh9")] == 1
    assert Credentials("bDqJFiq9", "other") != DOCUMENTED
    assert DOCUMENTED != "bDqJFiq9"


@for_each("api_key", ["bDqJFiq9\n", "bDqJFiq9\r\nX: 1", "bDqJFiq9é", "bDqJFiq9密", " bDqJFiq9"])
def test_an_api_key_that_is_not_valid_in_a_header_is_refused_and_not_shown(api_key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Credentials(api_key, "7bz1lzh9")
    assert str(caught.value) == "the Api-Key must be printable ASCII characters without spaces"
    assert "bDqJFiq9" not in repr(caught.value)
