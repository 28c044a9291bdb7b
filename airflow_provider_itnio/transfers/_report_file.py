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
from airflow_provider_itnio.api.values import is_missing, plain_scalar

if TYPE_CHECKING:
    from airflow_provider_itnio.transfers._rows import Rows

FILE_EXTENSIONS: Final = (".csv", ".xlsx")
_MAX_ROWS: Final = 1_048_575
"""Excel's limit of rows, without the row of column names."""
_MAX_CELL_LENGTH: Final = 32_767
"""Excel's limit of characters in a cell."""
_MAX_DIGITS: Final = 15
"""Digits of a number that Excel keeps."""
_FIRST_YEAR: Final = 1900
"""The first year of Excel's dates."""

_FORMULA: Final = re.compile(r"[=@\t\r]|[+-](?![\d\s.,()/+-]*$)")
"""The beginning of a formula. A sign and digits only, such as a phone number, is no formula."""


def write_report(rows: Rows, address: str) -> None:
    """Write rows to a file in object storage.

    :param rows: the rows.
    :param address: the file's address for ``ObjectStoragePath``, ending in ``.csv`` or ``.xlsx``.
    :raises ConfigurationError: if ``openpyxl`` is not installed, for an ``.xlsx`` file.
    :raises InvalidMessageError: if there are more rows than Excel takes.
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
    # With a byte order mark, Excel on a phone reads the file as UTF-8.
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
            "as_file: an .xlsx file needs openpyxl, which is not installed: pip install openpyxl, or use a "
            ".csv file"
        ) from None
    if len(rows) > _MAX_ROWS:
        raise InvalidMessageError(f"as_file: Excel takes at most {_MAX_ROWS:,} rows, {len(rows):,} given")
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()

    def cells(row: tuple[Any, ...]) -> Iterator[Any]:
        for value in row:
            cell = _excel_value(value)
            if isinstance(cell, str):  # else openpyxl writes "=1+1" as a formula, "#N/A" as an error
                cell = WriteOnlyCell(sheet, cell)
                cell.data_type = "s"
            yield cell

    sheet.append(list(cells(rows.columns)))
    for row in rows:
        sheet.append(list(cells(row)))
    workbook.save(file)


def _text(value: Any) -> str:
    if is_missing(value):
        return ""
    text = value.hex() if isinstance(value, (bytes, bytearray)) else str(plain_scalar(value))
    return text.encode("utf-8", "replace").decode()  # a lone surrogate can't be written


def _csv_text(value: Any) -> str:
    """Return a value for a CSV file. A text that Excel would run as a formula gets a ``'`` before it."""
    text = _text(value)
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text


def _excel_value(value: Any) -> Any:
    if is_missing(value):
        return None
    plain = plain_scalar(value)
    if isinstance(plain, bool) or (isinstance(plain, (int, float, Decimal)) and _is_exact(plain)):
        return plain
    is_date = isinstance(plain, (date, time)) and getattr(plain, "tzinfo", None) is None
    if is_date and getattr(plain, "year", _FIRST_YEAR) >= _FIRST_YEAR:
        return plain
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", _truncate(_text(value)))  # invalid in XML


def _truncate(text: str) -> str:
    """Truncate a text to Excel's limit of a cell, in which an emoji counts as two characters."""
    encoded = text.encode("utf-16-le")
    if len(encoded) <= 2 * _MAX_CELL_LENGTH:
        return text
    return f"{encoded[: 2 * (_MAX_CELL_LENGTH - 1)].decode('utf-16-le', 'ignore')}…"


def _is_exact(number: int | float | Decimal) -> bool:
    """Return whether Excel keeps a number, except for the last digits of a float's fraction."""
    if isinstance(number, float) and math.isfinite(number) and not number.is_integer():
        return True
    exact = Decimal(str(number))
    if not exact.is_finite():
        return False
    parts = exact.as_tuple()
    digits = "".join(map(str, parts.digits)).strip("0")
    return len(digits) <= _MAX_DIGITS and abs(exact.adjusted()) < sys.float_info.max_10_exp
