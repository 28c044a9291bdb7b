"""The simulated account."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

SAMPLE_API_KEY = "bDqJFiq9"
SAMPLE_SECRET = "7bz1lzh9"  # noqa: S105  printed in the vendor's documentation
SAMPLE_APP_ID = "DGziZf5u"
SAMPLE_BUSINESS_PHONE = "91856321321"

SHOWN_WHEN_ENDLESS = Decimal("1000.00")


@dataclass
class Account:
    """The vendor's account data. None accepts any application or number, or is a balance without end."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    app_ids: tuple[str, ...] | None
    business_phones: tuple[str, ...] | None
    balance: Decimal | None
    price: Decimal

    @property
    def app_id(self) -> str:
        """The application to send from, the first if there are several."""
        return (self.app_ids or (SAMPLE_APP_ID,))[0]

    @property
    def business_phone(self) -> str:
        """The business's number to send from, the first if there are several."""
        return (self.business_phones or (SAMPLE_BUSINESS_PHONE,))[0]

    @property
    def can_pay(self) -> bool:
        """Whether the balance is enough for one more message."""
        return self.balance is None or self.balance >= self.price

    def pay(self) -> None:
        """Deduct the price of one message from the balance."""
        if self.balance is not None:
            self.balance -= self.price

    @property
    def shown_balance(self) -> str:
        """The balance in the vendor's format, a decimal as text."""
        return str(SHOWN_WHEN_ENDLESS if self.balance is None else self.balance)
