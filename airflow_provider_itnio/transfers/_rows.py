"""The rows of a query: fetched in batches, stored in a temporary file, and read from it one by one."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from numbers import Real
from typing import Any, Final, NoReturn, overload

from airflow_provider_itnio.api.describe import describe_key, describe_keys, describe_value
from airflow_provider_itnio.api.errors import ConfigurationError, ConnectionLookupError, InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.phone_numbers import canonical_number, normalize_phone
from airflow_provider_itnio.api.values import is_missing, plain_scalar, type_name
from airflow_provider_itnio.broadcast.recipients import FirstPositions
from airflow_provider_itnio.rendering.missing_values import RecipientData

_FETCH_SIZE: Final = 1000
"""Rows that are fetched at a time."""
_MAX_NAMED: Final = 3
"""Rows that an error names."""


class Rows:
    """The rows of a query, in their order.

    They are stored in a file that only this process can open, and that is deleted when the process ends. So
    the query has ended before the first message is sent, and memory grows only by eight bytes per row.

    :param columns: the names of the columns.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this object
        weakref.finalize(self, self._file.close)
        self._offsets = array("Q", [0])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):  # ends iteration
            raise IndexError(index)
        start = self._offsets[index]
        pickled = os.pread(self._file.fileno(), self._offsets[index + 1] - start, start)
        row: tuple[Any, ...] = pickle.loads(pickled)  # noqa: S301  written by this very object
        return row

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return map(self.__getitem__, range(len(self)))

    def dict_of(self, index: int) -> dict[str, Any]:
        """Return a row as a dict of its columns."""
        return dict(zip(self.columns, self[index], strict=True))

    def extend(self, rows: Iterable[Any]) -> None:
        """Add rows.

        :raises InvalidMessageError: if a value can't be stored, such as an open file of the database.
        """
        offset, parts = self._offsets[-1], []
        for row in rows:
            values = tuple(map(_detach, row.values() if isinstance(row, Mapping) else row))
            try:
                pickled = pickle.dumps(values, protocol=pickle.HIGHEST_PROTOCOL)
            except Exception:
                raise InvalidMessageError(_storage_error(self.columns, values, len(self))) from None
            parts.append(pickled)
            offset += len(pickled)
            self._offsets.append(offset)
        self._file.write(b"".join(parts))
        self._file.flush()


class TemplateRows:
    """The rows in Jinja: ``{% for row in rows %}{{ row.name }}``, ``{{ rows[0].name }}``.

    To write them as a text, ``{{ rows }}``, is an error.

    :param rows: the rows.
    """

    def __init__(self, rows: Rows) -> None:
        self.__rows = rows

    def __len__(self) -> int:
        return len(self.__rows)

    @overload
    def __getitem__(self, index: int) -> RecipientData: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecipientData]: ...
    def __getitem__(self, index: int | slice) -> RecipientData | list[RecipientData]:
        if isinstance(index, slice):
            return [self[index] for index in range(len(self))[index]]
        return RecipientData(self.__rows.dict_of(index), name="row")

    def __iter__(self) -> Iterator[RecipientData]:
        return (self[index] for index in range(len(self)))

    def _no_text(self, *_: object) -> NoReturn:
        raise TypeError("rows is no text: write {{ rows | table }}, or loop with {% for row in rows %}")

    __str__ = __repr__ = __format__ = _no_text


class RowRecipients(Sequence[dict[str, Any]]):
    """The rows as the recipients of a broadcast, each with its columns and ``phone``.

    :param rows: the rows.
    :param column: the column with the phone numbers.
    :raises InvalidMessageError: if there is no such column, a number is missing, or two rows have the same.
    """

    def __init__(self, rows: Rows, column: str) -> None:
        self._rows = rows
        self._column = _index_of(column, rows.columns)
        self._check_numbers()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        row = self._rows[index]
        return {**dict(zip(self._rows.columns, row, strict=True)), "phone": row[self._column]}

    def _check_numbers(self) -> None:
        name = describe_key(self._rows.columns[self._column])
        first, missing = FirstPositions(len(self)), []
        for index, row in enumerate(self._rows):
            number = row[self._column]
            if is_missing(number) or (isinstance(number, str) and not number.strip()):
                missing.append(index)
                continue
            try:
                person = canonical_number(normalize_phone(number))
            except InvalidMessageError:
                continue  # one failure of the broadcast
            if (previous := first.position(person, index)) != index:
                is_same = self._rows[previous][self._column] == number
                how, hint = ("", f"as with GROUP BY {name}") if is_same else (" in two spellings", "in one")
                raise InvalidMessageError(
                    f"recipient_column: rows[{previous}] and rows[{index}] have the same number{how}, "
                    f"{mask_phone(person)}; give one row for each number, {hint}"
                )
        if missing:
            names = ", ".join(f"rows[{index}]" for index in missing[:_MAX_NAMED])
            more = f" and {len(missing) - _MAX_NAMED:,} more" if len(missing) > _MAX_NAMED else ""
            have = "have" if len(missing) > 1 else "has"
            raise InvalidMessageError(
                f"recipient_column: {names}{more} {have} no number in {name}; exclude such rows, as with "
                f"WHERE {name} IS NOT NULL"
            )


def fetch_rows(hook: Any, sql: str, parameters: Any) -> Rows:
    """Run a query, and store its rows.

    :param hook: a hook of Airflow's ``common.sql``.
    :param sql: one query.
    :param parameters: its parameters, as the database's driver takes them; ``None`` for none.
    :raises InvalidMessageError: if it returns no rows, a value that can't be stored, or two columns of one
        name, or if ``parameters`` is no list and no dict.
    """
    parameters = _plain_parameters(parameters)
    with closing(hook.get_conn()) as connection, closing(_cursor(connection)) as cursor:
        cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
        batch = cursor.fetchmany(_FETCH_SIZE) if _returns_rows(cursor) else None
        if batch is None or cursor.description is None:
            raise InvalidMessageError(
                "sql: must be a query, such as a SELECT; this statement returns no rows"
            )
        rows = Rows([str(column[0]) for column in cursor.description])
        if duplicates := [name for name in rows.columns if rows.columns.count(name) > 1]:
            raise InvalidMessageError(
                f"sql: two columns have the name {describe_key(duplicates[0])}; rename them with AS"
            )
        while batch:
            rows.extend(batch)
            batch = cursor.fetchmany(_FETCH_SIZE)
        return rows


def _plain_parameters(parameters: Any) -> Any:
    """Return parameters with plain Python numbers: SQLite's driver takes numpy's for bytes."""
    if isinstance(parameters, Mapping):
        return {name: _plain_parameter(value) for name, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, (str, bytes)):
        kind = tuple if isinstance(parameters, tuple) else list
        return kind(map(_plain_parameter, parameters))
    if parameters is not None:
        raise InvalidMessageError(f"parameters: must be a list or a dict, {describe_value(parameters)} given")
    return None


def _plain_parameter(value: Any) -> Any:
    plain = plain_scalar(value)  # it keeps a float32
    return float(plain) if isinstance(plain, Real) and not isinstance(plain, (int, float)) else plain


def _cursor(connection: Any) -> Any:
    """Return a cursor that does not fetch all rows at once. PostgreSQL's must have a name for that."""
    if any(f".{kind.__module__}".startswith(".psycopg") for kind in type(connection).__mro__):
        return connection.cursor(name="whatsapp_rows")
    return connection.cursor()


def _returns_rows(cursor: Any) -> bool:
    # A cursor with a name has its description only after the first rows are fetched.
    return cursor.description is not None or getattr(cursor, "name", None) is not None


def _detach(value: Any) -> Any:
    """Return a value that can be used after its cursor is closed."""
    if isinstance(value, memoryview):
        return bytes(value)
    return value.read() if hasattr(value, "read") else value


def _storage_error(columns: Sequence[str], values: Sequence[Any], row: int) -> str:
    for name, value in zip(columns, values, strict=False):
        try:
            pickle.dumps(value)
        except Exception:
            return (
                f"sql: rows[{row}].{describe_key(name)} is a value of type {type_name(value)}, which "
                "can't be stored; cast it to text in the query"
            )
    return f"sql: rows[{row}] can't be stored"


def _index_of(column: str, columns: Sequence[str]) -> int:
    """Find a column by its name. The case is ignored if needed: some databases return names in capitals."""
    matches = [index for index, name in enumerate(columns) if name == column] or [
        index for index, name in enumerate(columns) if name.lower() == column.lower()
    ]
    if len(matches) == 1:
        return matches[0]
    raise InvalidMessageError(
        f"recipient_column: the query returns no column {describe_key(column)}; it returns "
        f"{describe_keys(columns)}"
    )


def sql_hook(conn_id: str) -> Any:
    """Return the hook of a connection to a database.

    :param conn_id: the connection.
    :raises ConfigurationError: if there is no such connection, it is not for a database, or its provider is
        not installed.
    """
    from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
        from airflow.providers.common.sql.operators.sql import BaseSQLOperator
    except ImportError:
        raise ConfigurationError(
            "SqlToWhatsAppOperator needs the extra sql: pip install 'airflow-provider-itnio[sql]'"
        ) from None
    shown = describe_value(conn_id)
    try:
        kind = BaseHook.get_connection(conn_id).conn_type
        hook: Any = BaseSQLOperator.get_hook(conn_id)
    except AirflowNotFoundException:
        raise ConnectionLookupError(
            f"sql_conn_id: there is no Airflow connection {shown}. Add it, under Admin, Connections"
        ) from None
    except (AirflowException, ImportError) as error:  # the provider of its type is not installed
        raise ConfigurationError(
            f"sql_conn_id: the connection {shown} can't be used: {error}. Install the provider of its "
            "database, as with pip install apache-airflow-providers-postgres"
        ) from None
    except TypeError as error:  # the hook of another service, which does not take the extras of a database
        hook = error
    if not isinstance(hook, DbApiHook):
        reason = str(hook) if isinstance(hook, TypeError) else f"its hook is {type(hook).__name__}"
        raise ConfigurationError(
            f"sql_conn_id: {shown} is no connection to a database that Airflow's common.sql supports. It is "
            f"of type {describe_value(kind)}: {reason}"
        )
    return hook
