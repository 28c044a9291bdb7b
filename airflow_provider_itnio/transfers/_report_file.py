"""The rows of a query as a file in object storage: CSV or Excel."""

from __future__ import annotations

import csv
import io
import math
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final

from airflow_provider_itnio.api.errors import ConfigurationError, InvalidMessageError
from airflow_provider_itnio.api.values import is_gap, plain_scalar

if TYPE_CHECKING:
    from airflow_provider_itnio.transfers._rows import Rows

ENDINGS: Final = (".csv", ".xlsx")
_MOST_ROWS: Final = 1_048_575
"""Rows that Excel takes below the line with the names."""
_LONGEST: Final = 32_767
"""Characters that Excel takes in a cell."""
_DIGITS: Final = 15
"""Digits of a number that Excel keeps."""
_FIRST_YEAR: Final = 1900
"""The first whose days are dates in Excel."""

_FORMULA: Final = re.compile(r"[=@\t\r]|[+-](?![\d\s.,()/+-]*$)")
"""What a formula begins with; a sign before digits alone, as of a phone number, does no harm."""


def write_report(rows: Rows, address: str) -> None:
    """Write rows into object storage.

    :param rows: the rows.
    :param address: where, as ``ObjectStoragePath`` takes it; its ending says which kind of file.
    :raises ConfigurationError: if a package is missing that writes such files.
    :raises InvalidMessageError: if Excel takes no so many rows.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    write = _write_xlsx if address.lower().endswith(".xlsx") else _write_csv
    with tempfile.TemporaryFile() as file:
        write(rows, file)
        file.seek(0)
        path: Any = ObjectStoragePath(address)
        with path.open("wb") as target:
            while part := file.read(1 << 20):
                target.write(part)


def _write_csv(rows: Rows, file: IO[bytes]) -> None:
    # With the mark at its beginning, Excel on a phone reads it as UTF-8.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerows([_csv_text(value) for value in row] for row in chain([rows.columns], rows))
    text.detach()


def _write_xlsx(rows: Rows, file: IO[bytes]) -> None:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        raise ConfigurationError(
            "as_file: an .xlsx file is written with openpyxl, which is not installed: pip install openpyxl, "
            "or name a .csv file"
        ) from None
    if len(rows) > _MOST_ROWS:
        raise InvalidMessageError(f"as_file: Excel takes at most {_MOST_ROWS:,} rows, {len(rows):,} given")
    book = Workbook(write_only=True)
    sheet = book.create_sheet()

    def cells(row: tuple[Any, ...]) -> Iterator[Any]:
        for value in row:
            cell = _excel_value(value)
            if isinstance(cell, str):  # openpyxl takes "=1+1" for a formula, "#N/A" for an error
                cell = WriteOnlyCell(sheet, cell)
                cell.data_type = "s"
            yield cell

    sheet.append(list(cells(rows.columns)))
    for row in rows:
        sheet.append(list(cells(row)))
    book.save(file)


def _text(value: Any) -> str:
    if is_gap(value):
        return ""
    text = value.hex() if isinstance(value, (bytes, bytearray)) else str(plain_scalar(value))
    return text.encode("utf-8", "replace").decode()  # half of a surrogate pair can't be written


def _csv_text(value: Any) -> str:
    """Return what stands in a CSV file; a text that Excel would run as a formula gets a ``'`` before it."""
    text = _text(value)
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text


def _excel_value(value: Any) -> Any:
    if is_gap(value):
        return None
    plain = plain_scalar(value)
    if isinstance(plain, bool) or (isinstance(plain, (int, float, Decimal)) and _is_kept(plain)):
        return plain
    is_moment = isinstance(plain, (date, time)) and getattr(plain, "tzinfo", None) is None
    if is_moment and getattr(plain, "year", _FIRST_YEAR) >= _FIRST_YEAR:
        return plain
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", _cut(_text(value)))  # no XML


def _cut(text: str) -> str:
    """Cut a text to what Excel takes in a cell, which counts an emoji as two characters."""
    written = text.encode("utf-16-le")
    if len(written) <= 2 * _LONGEST:
        return text
    return f"{written[: 2 * (_LONGEST - 1)].decode('utf-16-le', 'ignore')}…"


def _is_kept(number: int | float | Decimal) -> bool:
    """Return whether Excel keeps a number as it is, but for the last digits of a float's fraction."""
    if isinstance(number, float) and math.isfinite(number) and not number.is_integer():
        return True
    exact = Decimal(str(number))
    if not exact.is_finite():
        return False
    written = exact.as_tuple()
    digits = "".join(map(str, written.digits)).strip("0")
    return len(digits) <= _DIGITS and abs(exact.adjusted()) < sys.float_info.max_10_exp
