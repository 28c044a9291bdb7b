"""The vendor's check of Api-Key, Sign and Timestamp, with a reason if it fails."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import NamedTuple

from airflow_provider_itnio.status_texts import MESSAGE_TEXTS

NOT_AUTHENTIC = -1

SEPARATORS = ("", ":", "&", "|", ",", "-", "_", ".", " ", "\n")
MAX_DISTANCE = 300
A_DAY = 24 * 60 * 60
MAX_SECONDS = 10**10
UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9, "minutes": 1 / 60}
"""How many of each are in a second."""
_RULE = "make the Sign of Api-Key + secret + timestamp, unseparated: their MD5 as 32 hex digits"
_SECONDS = "send whole Unix seconds as Timestamp, and hash the same text"
_SAME_TIME = "read the clock once for each request: the text of the Timestamp header is the one to hash"

OTHER_DIGESTS = {40: "SHA-1", 56: "SHA-224", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512"}


class SignProblem(NamedTuple):
    """Why the signature or the timestamp of a request is not valid, and what to change."""

    why: str
    advice: str


def sign_of(*parts: str) -> str:
    """Return the vendor's hash: MD5 of the concatenated parts, as 32 hex digits."""
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def problem_of_sign(headers: Mapping[str, str], api_key: str, secret: str) -> SignProblem | None:
    """Return why a request's signature is not valid; None if it is."""
    for name in ("Api-Key", "Sign", "Timestamp"):
        if not headers.get(name):
            return SignProblem(
                f"the {name} header is missing", "send Api-Key, Timestamp and Sign with each request"
            )
    key, sign, timestamp = headers["Api-Key"], headers["Sign"], headers["Timestamp"]
    if not _is_equal(key, api_key):
        return _key_problem(key, api_key, secret)
    if _is_equal(sign.lower(), sign_of(api_key, secret, timestamp)):
        return None
    return _sign_problem(sign, api_key, secret, timestamp)


def problem_of_clock(timestamp: str, now: float, tolerance: float) -> SignProblem | None:
    """Return why a timestamp is not accepted, None if it is; ``now`` and ``tolerance`` are in seconds."""
    if not re.fullmatch(r"[0-9]{1,20}", timestamp):
        return SignProblem("the Timestamp header is not whole Unix seconds", _SECONDS)
    seconds = int(timestamp)
    if abs(seconds - now) <= tolerance:
        return None
    for unit, in_a_second in UNITS.items():
        if abs(seconds / in_a_second - now) < A_DAY:
            return SignProblem(f"the Timestamp header is in {unit}; the vendor asks for seconds", _SECONDS)
    if seconds >= MAX_SECONDS:
        return SignProblem("the Timestamp header is no count of Unix seconds, which has 10 digits", _SECONDS)
    side = "behind" if seconds < now else "ahead of"
    why = (
        f"the Timestamp is {abs(seconds - now):.0f} s {side} the server's clock; {tolerance:g} s are accepted"
    )
    return SignProblem(why, MESSAGE_TEXTS[-4].advice)


def fingerprint(sign: str) -> str:
    """Return 12 hex digits of a Sign's SHA-256, to compare Signs without showing them; "" for none."""
    return hashlib.sha256(sign.encode()).hexdigest()[:12] if sign else ""


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _key_problem(key: str, api_key: str, secret: str) -> SignProblem:
    if _is_equal(key, secret):
        return SignProblem(
            "the Api-Key header contains the secret; key and secret are swapped",
            "swap login and password of the Airflow connection: the login is the Api-Key",
        )
    if key.strip(" \"'").lower() == api_key.lower():
        return SignProblem(
            "the Api-Key is not known as written; letter case, blanks or quotation marks differ",
            "write the login of the Airflow connection exactly as the account has its Api-Key",
        )
    why = f"the Api-Key is not known; it has {len(key)} characters, the known one has {len(api_key)}"
    return SignProblem(why, MESSAGE_TEXTS[-1].advice)


def _sign_problem(sign: str, api_key: str, secret: str, timestamp: str) -> SignProblem:
    if len(sign) in OTHER_DIGESTS and re.fullmatch(r"[0-9a-fA-F]+", sign):
        digest = OTHER_DIGESTS[len(sign)]
        return SignProblem(f"the Sign has the length of {digest}; the vendor asks for MD5", _RULE)
    if not re.fullmatch(r"[0-9a-fA-F]{32}", sign):
        return SignProblem("the Sign is not 32 hex digits", _RULE)
    for guesses, advice in (
        (_guess_parts(api_key, secret, timestamp), _RULE),
        (_guess_secrets(api_key, secret, timestamp), "take off what stands around the password (secret)"),
        (_guess_times(api_key + secret, timestamp), _SAME_TIME),
    ):
        for text, why in guesses:
            if _is_equal(sign.lower(), sign_of(text)):
                return SignProblem(why, advice)
    return SignProblem(
        "the Sign does not match this key's secret; that is another one, or the Sign is made in another way",
        MESSAGE_TEXTS[-1].advice,
    )


def _guess_parts(api_key: str, secret: str, timestamp: str) -> Iterator[tuple[str, str]]:
    for parts in permutations({"Api-Key": api_key, "secret": secret, "timestamp": timestamp}.items()):
        names, texts = zip(*parts, strict=True)
        for separator in SEPARATORS:
            what = f"the Sign was made over {' + '.join(names)}"
            what += f" joined with {separator!r}" if separator else ""
            yield (
                separator.join(texts),
                f"{what}; the vendor asks for Api-Key + secret + timestamp, unseparated",
            )
    yield api_key + secret, "the Sign was made without the timestamp"
    yield secret + timestamp, "the Sign was made without the Api-Key"
    yield api_key + timestamp, "the Sign was made without the secret"


def _guess_secrets(api_key: str, secret: str, timestamp: str) -> Iterator[tuple[str, str]]:
    for before, after in (("", "\n"), ("", "\r\n"), (" ", ""), ("", " "), ('"', '"'), ("'", "'")):
        yield (
            api_key + before + secret + after + timestamp,
            "the Sign was made with blanks, a line break or quotation marks around the secret",
        )


def _guess_times(start: str, timestamp: str) -> Iterator[tuple[str, str]]:
    what = "the Timestamp header is not the text that was hashed"
    if not re.fullmatch(r"[0-9]{1,20}", timestamp):
        return
    seconds = int(timestamp)
    for part in range(1000):
        yield f"{start}{seconds * 1000 + part}", f"{what}: that was in milliseconds"
    yield f"{start}{seconds // 1000}", f"{what}: that was in seconds, the header is in milliseconds"
    yield f"{start}{seconds}.0", f"{what}: that was written with a decimal point"
    for distance in range(1, MAX_DISTANCE + 1):
        for other in (seconds - distance, seconds + distance):
            yield f"{start}{other}", f"{what}: that was {distance} s away; read the clock once per request"
