"""How a request proves who sends it.

Rule of the vendor (page ``/api/account``): ``Sign`` is the MD5, in hex, of Api-Key, secret and the text of
``Timestamp`` written one behind the other; ``Timestamp`` is Unix time in seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NoReturn, Self

from airflow_provider_itnio.api.errors import ConfigurationError


class Secret:
    """Text that does not show: neither in ``repr``, ``str`` and ``format`` nor in a pickle.

    :param text: the text, or a secret that holds it.
    """

    __slots__ = ("reveal",)

    def __init__(self, text: str | Secret) -> None:
        plain = text.reveal if isinstance(text, Secret) else str(text).__str__
        # A method of the text itself: a function of ours would have a frame, whose locals tracebacks show.
        self.reveal: Callable[[], str] = plain
        """Gives the text. Call it where it is used, and keep what it gives in no variable."""

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        return self.reveal() == (other.reveal() if isinstance(other, Secret) else other)

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret can't be pickled: make the client in the process that sends")


class Credentials:
    """An account's Api-Key and secret. Neither shows.

    :param api_key: what the vendor calls apiKey.
    :param secret: what the vendor calls apiSecret or apiPwd.
    :raises ConfigurationError: if the Api-Key can't stand in a header.
    """

    __slots__ = ("api_key", "secret")

    def __init__(self, api_key: str | Secret, secret: str | Secret) -> None:
        # Under the same names, so that no traceback of an error below shows what was given.
        api_key, secret = Secret(api_key), Secret(secret)
        if not is_one_ascii_word(api_key):
            raise ConfigurationError("the Api-Key must be letters, digits and marks of ASCII, in one word")
        self.api_key = api_key
        self.secret = secret

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self._both() == other._both()

    def __hash__(self) -> int:
        return hash(self._both())

    def _both(self) -> tuple[Secret, Secret]:
        return self.api_key, self.secret

    def sign(self, timestamp: str) -> str:
        """Compute ``Sign`` for the very text that goes into ``Timestamp``.

        :param timestamp: Unix time in whole seconds, as text.
        :return: 32 lower-case hex digits.
        """
        # The vendor's scheme, not a choice of ours; the flag lets it run on FIPS machines.
        return hashlib.md5(
            f"{self.api_key.reveal()}{self.secret.reveal()}{timestamp}".encode(), usedforsecurity=False
        ).hexdigest()


def is_one_ascii_word(secret: Secret) -> bool:
    """Return whether a text can stand in a header as it is: ASCII, no blanks, nothing invisible."""
    return secret.reveal().isascii() and secret.reveal().isprintable() and " " not in secret.reveal()
