"""The latest entries of a kind, bounded in number and in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

MEMORY = 64 * 1024 * 1024
MEMORY_AN_ENTRY = 64 * 1024

Kept = TypeVar("Kept")


class RingBuffer(Generic[Kept]):
    """
    Entries in the order they came; the oldest go when there are too many, or too large ones.

    Together they take about 64 KiB for each that is to be kept, at least 64 MiB, so that only bodies far over
    what a message needs push others out. The newest is kept however large it is.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._memory = max(MEMORY, keep * MEMORY_AN_ENTRY)
        self._used = 0
        self._entries: deque[tuple[Kept, int]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Kept]:
        return (entry for entry, _ in self._entries)

    def append(self, entry: Kept, size: int) -> list[Kept]:
        """Keep an entry of about so many bytes, and give those that are kept no more."""
        self._entries.append((entry, size))
        self._used += size
        gone = []
        while len(self) > self._keep or (self._used > self._memory and len(self) > 1):
            old, freed = self._entries.popleft()
            self._used -= freed
            gone.append(old)
        return gone

    def above(self, number: int, key: Callable[[Kept], int]) -> Iterator[Kept]:
        """Give the entries with a number above another, oldest first; the others are not looked at."""
        if not number:
            return iter(self)
        start = bisect_right(self._entries, number, key=lambda held: key(held[0]))
        return (entry for entry, _ in islice(self._entries, start, None))

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
        self._used = 0


def memory_of(raw_body: bytes) -> int:
    """
    Estimate what a request's body takes with the JSON read from it, in bytes.

    Text is there as bytes and as characters, and each value is an object of its own: a body of ``[[],[],…]``
    takes 25 times its bytes.
    """
    values = raw_body.count(b",") + raw_body.count(b"[") + raw_body.count(b"{")
    return 3 * len(raw_body) + 64 * values
