"""Sign requests.

The vendor's rule (page ``/api/account``): ``Sign`` is the MD5 in hex of the concatenated Api-Key, secret and
``Timestamp``; ``Timestamp`` is Unix time in seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NoReturn, Self

from airflow_provider_itnio.api.errors import ConfigurationError


class Secret:
    """A text that ``repr``, ``str`` and ``format`` hide, and that can't be pickled.

    :param text: the text, or another secret.
    """

    __slots__ = ("reveal",)

    def __init__(self, text: str | Secret) -> None:
        plain = text.reveal if isinstance(text, Secret) else str(text).__str__
        # A method of the text itself: a Python function would have a frame, whose locals tracebacks show.
        self.reveal: Callable[[], str] = plain
        """Return the text. Call it where it is used, and do not store it: tracebacks show variables."""

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
    """An account's Api-Key and secret. Its repr hides both.

    :param api_key: the vendor's ``apiKey``.
    :param secret: the vendor's ``apiSecret`` or ``apiPwd``.
    :raises ConfigurationError: if the Api-Key is not valid in a header.
    """

    __slots__ = ("api_key", "secret")

    def __init__(self, api_key: str | Secret, secret: str | Secret) -> None:
        # Under the same names, so that no traceback shows the arguments.
        api_key, secret = Secret(api_key), Secret(secret)
        if not is_header_safe(api_key):
            raise ConfigurationError("the Api-Key must be printable ASCII characters without spaces")
        self.api_key = api_key
        self.secret = secret

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Secret, Secret]:
        return self.api_key, self.secret

    def sign(self, timestamp: str) -> str:
        """Return ``Sign`` for a ``Timestamp``.

        :param timestamp: the exact text of the header: Unix time in whole seconds.
        :return: 32 lower-case hex digits.
        """
        # The vendor requires MD5; usedforsecurity=False lets it run on FIPS machines.
        return hashlib.md5(
            f"{self.api_key.reveal()}{self.secret.reveal()}{timestamp}".encode(), usedforsecurity=False
        ).hexdigest()


def is_header_safe(secret: Secret) -> bool:
    """Return whether a text is valid in a header: printable ASCII without spaces."""
    return secret.reveal().isascii() and secret.reveal().isprintable() and " " not in secret.reveal()
