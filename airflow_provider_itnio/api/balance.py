"""The balance of an account."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance, as on the vendor's page ``/api/account/getBalance``. The page names no currency.

    :param balance: money paid in and not spent.
    :param gift: the bonus, ``None`` if it is not in the answer.
    :param credit: the credit line, ``None`` if it is not in the answer.
    """

    balance: Decimal
    gift: Decimal | None = None
    credit: Decimal | None = None
