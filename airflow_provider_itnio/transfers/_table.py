"""The filter ``table``: rows in monospaced columns that fit a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from numbers import Number
from typing import Any, Final

from airflow_provider_itnio.api.checks import check_number
from airflow_provider_itnio.api.describe import describe_key, describe_keys, describe_value
from airflow_provider_itnio.api.errors import ConfigurationError, InvalidMessageError
from airflow_provider_itnio.api.values import is_missing, plain_scalar
from airflow_provider_itnio.rendering.missing_values import unwrap_all

_COLUMN_GAP: Final = 2
"""Blanks between two columns."""
_MIN_WIDTH: Final = 4
"""The least width of a column."""
_NEVER_TRUNCATED: Final = re.compile(r"(?=.{0,40}$)[\dTZ\W]*\d[\dTZ\W]*")
"""A text that is a date, a time or a number. SQLite returns dates as text."""


def table(rows: Any, max_rows: int = 10, columns: Sequence[str] | None = None, width: int = 34) -> str:
    """Return rows as a table, in the monospaced font that WhatsApp shows between ```` ``` ````.

    Numbers are right-aligned. Numbers and dates are never truncated, so a line may be wider than ``width``.
    Other texts that do not fit end with ``…``. Floats are rounded to 15 digits. A missing value is blank.

    :param rows: ``rows``, or any list of dicts.
    :param max_rows: the number of rows to show, 1 to 100,000. A last line counts the others.
    :param columns: the columns to show, in their order; ``None`` for all.
    :param width: the width of a line, 10 to 4,096. A Latin letter counts 1, a Chinese one or an emoji 2. A
        phone shows about 34.
    :return: the table; ``(no rows)`` if there are none.
    :raises InvalidMessageError: if there is no such column, or the rows are no list of dicts.
    :raises InvalidParameterError: if ``max_rows`` or ``width`` is out of its range.
    """
    max_rows = check_number("table: max_rows", max_rows, 1, 100_000, int)
    width = check_number("table: width", width, 10, 4096, int)
    columns = unwrap_all(columns)
    if columns is not None and not isinstance(columns, (list, tuple)):
        raise InvalidMessageError(
            f"table: columns must be a list of names, such as ['region'], {describe_value(columns)} given"
        )
    count = len(rows) if hasattr(rows, "__len__") else None
    shown = [_row(row) for row in islice(iter(rows), max_rows)]
    if not shown:
        return "(no rows)"
    names = [str(name) for name in (columns or shown[0])]
    if missing := [name for name in names if name not in shown[0]]:
        raise InvalidMessageError(
            f"table: there is no column {describe_key(missing[0])}; there are {describe_keys(shown[0])}"
        )
    values = [[row.get(name) for name in names] for row in shown]
    lines = _lines(names, values, width)
    more = (count or len(shown)) - len(shown)
    return f"```\n{lines}\n```" + (f"\nand {more:,} more" if more > 0 else "")


def _row(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise InvalidMessageError(f"table: takes rows, each a dict; {type(row).__name__} given")
    return {str(name): unwrap_all(value) for name, value in row.items()}


def _lines(names: Sequence[str], values: Sequence[Sequence[Any]], width: int) -> str:
    try:
        from tabulate import tabulate  # it uses wcwidth, too
        from wcwidth import wcswidth
    except ImportError:
        raise ConfigurationError(
            "table: needs the extra sql: pip install 'airflow-provider-itnio[sql]'"
        ) from None

    def width_of(text: str) -> int:
        return max(0, wcswidth(text))

    def truncate_to(text: str, limit: int) -> str:
        if width_of(text) <= limit:
            return text
        # What is shown as one character may be several code points, such as seven in a family emoji.
        beginning = text[: 8 * limit]
        while width_of(beginning) > limit - 1:
            beginning = beginning[:-1]
        return beginning.rstrip("\u200d") + "…"  # a joiner would join the "…"

    cells = [[_cell(value) for value in row] for row in values]
    is_number = [all(_is_number(value) for value in column) for column in zip(*values, strict=True)]
    may_truncate = [[_may_truncate(value) for value in column] for column in zip(*values, strict=True)]
    widths = list(
        _fit([[*map(width_of, column)] for column in zip(names, *cells, strict=True)], may_truncate, width)
    )
    header, *body = [[*map(truncate_to, row, widths)] for row in ([_cell(name) for name in names], *cells)]
    text: str = tabulate(
        [header, *body],  # tabulate's own headers would be padded
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if number else "left" for number in is_number],
    )
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _fit(
    columns: Sequence[Sequence[int]], may_truncate: Sequence[Sequence[bool]], width: int
) -> Iterator[int]:
    """Yield the width of each column. Columns with long names are narrowed first, then the widest texts.

    :param columns: the width of each column's name and cells.
    :param may_truncate: whether each cell may be truncated.
    """
    min_widths = [
        max(_MIN_WIDTH, *(wide for wide, cut in zip(cells, may_cut, strict=True) if not cut), 0)
        for (_, *cells), may_cut in zip(columns, may_truncate, strict=True)
    ]
    widths = [max(column) for column in columns]
    excess = sum(widths) + _COLUMN_GAP * (len(widths) - 1) - width
    while excess > 0:
        can_shrink, _, _, widest = max(
            (wide > min_widths[index], wide > max(columns[index][1:]), wide, index)
            for index, wide in enumerate(widths)
        )
        if not can_shrink:
            break
        widths[widest] -= 1
        excess -= 1
    yield from widths


def _is_number(value: Any) -> bool:
    return is_missing(value) or (isinstance(plain_scalar(value), Number) and not isinstance(value, bool))


def _may_truncate(value: Any) -> bool:
    """Return whether a value may be truncated: a text or a container, but no date, time or number."""
    value = plain_scalar(value)
    if isinstance(value, str):
        return not _NEVER_TRUNCATED.fullmatch(value.strip())
    return not (_is_number(value) or isinstance(value, timedelta) or hasattr(value, "isoformat"))


def _cell(value: Any) -> str:
    if is_missing(value):
        return ""
    value = plain_scalar(value)
    if isinstance(value, float):
        value = float(f"{value:.15g}")  # 0.1 + 0.2 is 0.3
    return " ".join(str(value).replace("`", "'").split())
