from __future__ import annotations

import json

import pendulum

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict


def test_a_receipt_is_plain_json() -> None:
    receipt = Receipt("10415e", "8614718004557", "text", pendulum.from_timestamp(1693813991))
    written = receipt.as_dict()
    assert written == {
        "message_id": "10415e",
        "recipient": "8614718004557",
        "type": "text",
        "timestamp": "2023-09-04T07:53:11+00:00",
    }
    assert json.loads(json.dumps(written)) == written
    assert written.keys() == ReceiptDict.__annotations__.keys() - {
        "status",
        "status_at",
    }


def test_a_receipt_may_have_no_time() -> None:
    assert Receipt("10415e", "8614718004557", "template", None).as_dict()["timestamp"] is None


def test_the_gift_and_the_credit_of_a_balance_may_be_missing() -> None:
    from decimal import Decimal

    assert (Balance(Decimal(1)).gift, Balance(Decimal(1)).credit) == (None, None)
