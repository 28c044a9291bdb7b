"""What is left in an account."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money, as page ``/api/account/getBalance`` gives it. The page names no currency.

    :param balance: what was paid in and not spent.
    :param gift: the bonus, ``None`` if the answer did not say.
    :param credit: the credit line, ``None`` if the answer did not say.
    """

    balance: Decimal
    gift: Decimal | None = None
    credit: Decimal | None = None
