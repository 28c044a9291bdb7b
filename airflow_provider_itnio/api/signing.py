"""How a request proves who sends it.

Rule of the vendor (page ``/api/account``): ``Sign`` is the MD5, in hex, of Api-Key, secret and the text of
``Timestamp`` written one behind the other; ``Timestamp`` is Unix time in seconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from airflow_provider_itnio.api.errors import ConfigurationError

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's Api-Key and secret. Neither shows in the object's repr.

    :param api_key: what the vendor calls apiKey.
    :param secret: what the vendor calls apiSecret or apiPwd.
    :raises ConfigurationError: if the Api-Key can't stand in a header.
    """

    api_key: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse an Api-Key that the HTTP libraries would refuse with an error that shows it."""
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise ConfigurationError("the Api-Key must be letters, digits and marks of ASCII, in one word")

    def sign(self, timestamp: str) -> str:
        """Compute ``Sign`` for the very text that goes into ``Timestamp``.

        :param timestamp: Unix time in whole seconds, as text.
        :return: 32 lower-case hex digits.
        """
        signed = f"{self.api_key}{self.secret}{timestamp}".encode()
        # The vendor's scheme, not a choice of ours; the flag lets it run on FIPS machines.
        return hashlib.md5(signed, usedforsecurity=False).hexdigest()

    def headers(self, at: float) -> dict[str, str]:
        """Make the three headers that sign a request.

        One signature is good for any request within the vendor's time window: it is never logged.

        :param at: Unix time in seconds; what is below a second is cut off.
        """
        timestamp = str(int(at))
        return {"Sign": self.sign(timestamp), "Timestamp": timestamp, "Api-Key": self.api_key}
