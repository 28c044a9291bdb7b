"""The receiver's push and read tokens."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable

MAX_TOKENS = 2
"""Most tokens of a kind: two, so that one can be replaced while the other is still used."""


class TokenError(ValueError):
    """A token is missing or not safe enough. The text names the variable, and never the token."""


class Tokens:
    """One or two tokens that are both valid."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)

    @classmethod
    def read(cls, variable: str, value: str) -> Tokens:
        """Read tokens, separated by a comma.

        :param variable: the environment variable, for errors.
        :param value: its value.
        :raises TokenError: if there is none, more than two, or one of fewer than 128 bits.
        """
        tokens = [token for token in re.split(r"[,\s]+", value) if token]
        if not 0 < len(tokens) <= MAX_TOKENS:
            raise TokenError(
                f"{variable}: must be one or two tokens, separated by a comma, {len(tokens)} given. "
                "`itnio-receiver token` prints a new one"
            )
        for token in tokens:
            # 22 base64 characters are at least 128 bits; with few different characters they are fewer.
            if not re.fullmatch(r"[A-Za-z0-9_-]{22,200}", token) or len(set(token)) < 10:
                raise TokenError(
                    f"{variable}: must be random, of 22 to 200 letters, digits, _ and -, at least 10 of them "
                    f"different; one of {len(token)} characters, {len(set(token))} of them different, given. "
                    "`itnio-receiver token` prints a new one"
                )
        return cls(tokens)

    def match(self, given: str) -> bool:
        """Return whether a text is one of the tokens. The time does not depend on the tokens' content."""
        matches = [hmac.compare_digest(given.encode("utf-8", "replace"), token) for token in self._tokens]
        return any(matches)

    def overlap(self, other: Tokens) -> bool:
        """Return whether both have a token in common."""
        return not set(self._tokens).isdisjoint(other._tokens)


def new_token() -> str:
    """Return a random token of 192 bits."""
    return secrets.token_urlsafe(24)
