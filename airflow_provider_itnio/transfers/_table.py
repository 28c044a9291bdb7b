"""The filter ``table``: rows in monospaced columns that fit a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Number
from typing import Any, Final

from airflow_provider_itnio.api.describe import describe_key, describe_keys
from airflow_provider_itnio.api.errors import ConfigurationError, InvalidMessageError
from airflow_provider_itnio.api.values import is_gap, plain_scalar
from airflow_provider_itnio.rendering.gaps import without_gaps

_BETWEEN: Final = 2
"""Blanks between two columns."""
_LEAST: Final = 4
"""How wide a column stays."""


def table(rows: Any, max_rows: int = 10, columns: Sequence[str] | None = None, width: int = 34) -> str:
    """Write rows as a table, in the monospaced letters that WhatsApp shows between ```` ``` ````.

    Numbers stand right, and are never cut. A text that does not fit ends with ``…``. A missing value is left
    blank.

    :param rows: ``rows``, or any list of dicts.
    :param max_rows: how many are shown, from 1; the others are counted below.
    :param columns: the columns to show, in their order; ``None`` for all.
    :param width: how wide a line is, from 10: a Latin letter counts 1, a Chinese one and an emoji 2. A phone
        shows about 34.
    :return: the table; ``(no rows)`` if there are none.
    :raises InvalidMessageError: if an option can't be used, or the rows are no list of dicts.
    """
    if not isinstance(max_rows, int) or max_rows < 1 or not isinstance(width, int) or width < 10:
        raise InvalidMessageError("table: max_rows must be at least 1, width at least 10")
    count = len(rows) if hasattr(rows, "__len__") else None
    shown = [_row(row) for row in islice(iter(rows), max_rows)]
    if not shown:
        return "(no rows)"
    names = [str(name) for name in (columns or shown[0])]
    if absent := [name for name in names if name not in shown[0]]:
        raise InvalidMessageError(
            f"table: there is no column {describe_key(absent[0])}; there are {describe_keys(shown[0])}"
        )
    values = [[row.get(name) for name in names] for row in shown]
    lines = _lines(names, values, width)
    more = (count or len(shown)) - len(shown)
    return f"```\n{lines}\n```" + (f"\nand {more:,} more" if more > 0 else "")


def _row(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise InvalidMessageError(f"table: takes rows, each a dict; {type(row).__name__} given")
    return {str(name): without_gaps(value) for name, value in row.items()}


def _lines(names: Sequence[str], values: Sequence[Sequence[Any]], width: int) -> str:
    try:
        from tabulate import tabulate  # which measures as below, with wcwidth too
        from wcwidth import wcswidth
    except ImportError:
        raise ConfigurationError(
            "table: needs the extra sql: pip install 'airflow-provider-itnio[sql]'"
        ) from None

    def wide(text: str) -> int:
        return max(0, wcswidth(text))

    def cut_to(text: str, limit: int) -> str:
        if wide(text) <= limit:
            return text
        # A letter may be many characters, an emoji of a family seven, but hardly more.
        beginning = text[: 8 * limit]
        while wide(beginning) > limit - 1:
            beginning = beginning[:-1]
        return beginning.rstrip("\u200d") + "…"  # which joins what follows

    cells = [[_cell(value) for value in row] for row in values]
    is_number = [all(_is_number(value) for value in column) for column in zip(*values, strict=True)]
    widths = list(
        _fitting([[*map(wide, column)] for column in zip(names, *cells, strict=True)], is_number, width)
    )
    heads, *cut = [[*map(cut_to, row, widths)] for row in ([_cell(name) for name in names], *cells)]
    written: str = tabulate(
        [heads, *cut],  # tabulate's own headers would be padded
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if number else "left" for number in is_number],
    )
    return "\n".join(line.rstrip() for line in written.split("\n"))


def _fitting(columns: Sequence[Sequence[int]], is_number: Sequence[bool], width: int) -> Iterator[int]:
    """Yield how wide each column may be: the widest texts give way first.

    :param columns: the width of each column's name and cells.
    """
    least = [max(cells) if number else _LEAST for (_, *cells), number in zip(columns, is_number, strict=True)]
    widths = [max(column) for column in columns]
    over = sum(widths) + _BETWEEN * (len(widths) - 1) - width
    while over > 0:
        room, widest = max((wide if wide > least[index] else 0, index) for index, wide in enumerate(widths))
        if not room:
            break
        widths[widest] -= 1
        over -= 1
    yield from widths


def _is_number(value: Any) -> bool:
    return is_gap(value) or (isinstance(plain_scalar(value), Number) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    if is_gap(value):
        return ""
    return " ".join(str(plain_scalar(value)).replace("`", "'").split())
