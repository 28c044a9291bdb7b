"""The tokens that the receiver is asked with."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable

MOST = 2
"""Tokens of a kind, so that one can be changed while the other is still used."""


class TokenError(ValueError):
    """A token that is not safe enough: the text names the variable, and never the token."""


class Tokens:
    """One or two tokens that are as good as each other."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)

    @classmethod
    def read(cls, variable: str, value: str) -> Tokens:
        """Read tokens, separated by a comma.

        :param variable: the name an error gives it.
        :raises TokenError: if there is none, more than two, or one of fewer than 128 bits.
        """
        tokens = [token for token in re.split(r"[,\s]+", value) if token]
        if not 0 < len(tokens) <= MOST:
            raise TokenError(
                f"{variable}: must be one or two tokens, separated by a comma, {len(tokens)} given. "
                "`itnio-receiver token` prints a new one"
            )
        for token in tokens:
            # 22 characters of base64 hold 128 bits; a token that repeats a few characters holds fewer.
            if not re.fullmatch(r"[A-Za-z0-9_-]{22,200}", token) or len(set(token)) < 10:
                raise TokenError(
                    f"{variable}: must be random, of 22 to 200 letters, digits, _ and -, at least 10 of them "
                    f"different; one of {len(token)} characters, {len(set(token))} of them different, given. "
                    "`itnio-receiver token` prints a new one"
                )
        return cls(tokens)

    def match(self, given: str) -> bool:
        """Return whether a text is one of them. It takes as long for any text of its length."""
        found = [hmac.compare_digest(given.encode("utf-8", "replace"), token) for token in self._tokens]
        return any(found)

    def overlap(self, other: Tokens) -> bool:
        """Return whether one of them is one of the others too."""
        return not set(self._tokens).isdisjoint(other._tokens)


def new_token() -> str:
    """Return a random token of 192 bits."""
    return secrets.token_urlsafe(24)
