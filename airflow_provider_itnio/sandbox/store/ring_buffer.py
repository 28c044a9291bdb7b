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

    :param keep: how many are kept, at least 1
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._memory = max(MEMORY, keep * MEMORY_AN_ENTRY)
        self._used = 0
        self._dropped = 0
        self._entries: deque[tuple[Kept, int]] = deque()

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Kept]:
        """Return the entries, oldest first."""
        return (entry for entry, _ in self._entries)

    def __reversed__(self) -> Iterator[Kept]:
        """Return the entries, newest first."""
        return (entry for entry, _ in reversed(self._entries))

    def append(self, entry: Kept, size: int) -> None:
        """
        Keep an entry.

        :param entry: the entry
        :param size: about how much memory it takes, in bytes
        """
        self._entries.append((entry, size))
        self._used += size
        while len(self) > self._keep or (self._used > self._memory and len(self) > 1):
            _, freed = self._entries.popleft()
            self._used -= freed
            self._dropped += 1

    def page(self, after: int, limit: int, wanted: Callable[[Kept], bool]) -> tuple[list[Kept], int]:
        """
        Give entries from a place in the order of all that came on, oldest first.

        :param after: the place after which to begin, 0 for the oldest
        :param limit: how many entries at most, at least 1
        :param wanted: whether an entry is one of those asked for
        :return: the entries, and the place of the last one if there may be more after it, else 0
        """
        found: list[Kept] = []
        start = max(0, after - self._dropped)
        for place, (entry, _) in enumerate(islice(self._entries, start, None), self._dropped + start + 1):
            if wanted(entry):
                found.append(entry)
                if len(found) == limit:
                    return found, place if place < self._dropped + len(self) else 0
        return found, 0

    def above(self, number: int, limit: int, key: Callable[[Kept], int]) -> list[Kept]:
        """
        Give the oldest entries with a number above another, oldest first. No other entry is looked at.

        :param number: the number
        :param limit: how many entries at most
        :param key: gives the number of an entry; numbers rise from one entry to the next
        """
        start = bisect_right(self._entries, number, key=lambda held: key(held[0]))
        return [self._entries[at][0] for at in range(start, min(start + limit, len(self)))]

    def clear(self) -> None:
        """Forget all entries. Their places in the order are not given again."""
        self._dropped += len(self)
        self._entries.clear()
        self._used = 0


def memory_of(raw_body: bytes) -> int:
    """
    Estimate what a request's body takes with the JSON read from it, in bytes.

    Text is there as bytes and as characters, and each value is an object of its own: a body of ``[[],[],…]``
    takes 25 times its bytes.

    :param raw_body: the body
    """
    values = raw_body.count(b",") + raw_body.count(b"[") + raw_body.count(b"{")
    return 3 * len(raw_body) + 64 * values
