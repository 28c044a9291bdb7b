from __future__ import annotations

import pytest

from airflow_provider_itnio.api.checks import check_delivery
from airflow_provider_itnio.api.errors import InvalidParameterError


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_delivery_has_two_words(delivery: str) -> None:
    check_delivery(delivery)


@pytest.mark.parametrize("delivery", ["exactly_once", "", None, 1, ["at_least_once"], "x" * 500])
def test_another_word_is_refused(delivery: object) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        check_delivery(delivery)
    assert str(caught.value) == (
        f"delivery: must be one of at_least_once, at_most_once; {repr(delivery)[:60]} given"
    )
