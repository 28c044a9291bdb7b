"""What an operator or a notifier is wrongly made with is told with its name, at the DAG file's own line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar, cast

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.dag_file import ending_at_dag_file

__all__ = ["with_named_errors"]

Class = TypeVar("Class", bound=type)

_MEANT: Final[Mapping[str, str]] = {
    "attachment": "document",
    "body": "text",
    "conn_id": "itnio_conn_id",
    "file": "document",
    "from_number": "business_phone",
    "max_tries": "max_attempts",
    "sender": "business_phone",
    "template_name": "template",
}
"""Names that other providers have for the same."""

_RECIPIENT: Final = {"recipient", "recipients", "to", "phone", "phones", "phone_number", "number", "numbers"}


def with_named_errors(base: Class) -> Class:
    """Give a base class whose subclasses tell what is wrong with their arguments.

    The error begins with ``task 'tell_finance'``, or the name of the class, and its traceback ends at the
    DAG file's own line.

    :param base: Airflow's base class.
    """

    class NamedErrors(type(base)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return _call(super().__call__, cls, *args, **kwargs)

        @property
        def __signature__(cls) -> inspect.Signature:
            # Else that of __call__ above would be shown.
            _, *parameters = inspect.signature(getattr(cls, "__init__")).parameters.values()  # noqa: B009
            return inspect.Signature(parameters)

    made: Any = NamedErrors(f"_{base.__name__}", (base,), {"__module__": __name__, "__doc__": base.__doc__})
    if hasattr(base, "partial"):  # an operator's, for mapped tasks

        def partial(cls: Any, /, **kwargs: Any) -> Any:
            return _call(super(made, cls).partial, cls, **kwargs)

        made.partial = classmethod(partial)
    return cast("Class", made)


def _call(make: Callable[..., Any], cls: type, /, *args: Any, **kwargs: Any) -> Any:
    try:
        return make(*args, **kwargs)
    except (ItnioError, TypeError, AirflowException) as error:
        named = _named_error(error, cls, kwargs)
    raise named


def _named_error(error: Exception, cls: type, arguments: Mapping[str, Any]) -> Exception:
    """Give the error that is raised in place of one that kept an object from being made."""
    task_id = arguments.get("task_id")
    where = f"task {task_id!r:.200}" if isinstance(task_id, str) else cls.__name__
    if isinstance(error, ItnioError):
        error.where = error.where or where
        return ending_at_dag_file(error)
    if not _is_about_arguments(error):
        return error
    words = "; ".join(_unknown_arguments(cls, arguments)) or str(error)
    return ending_at_dag_file(type(error)(f"{where}: {words}"))


def _is_about_arguments(error: Exception) -> bool:
    """Tell an error about arguments, which Airflow or Python raises, from one of a subclass's own code."""
    if type(error) not in (TypeError, AirflowException):  # others may be made of more than words
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return bool(module == __name__ or module.startswith("airflow."))


def _unknown_arguments(cls: type, arguments: Mapping[str, Any]) -> Iterator[str]:
    known = {
        name
        for one in cls.__mro__
        if "__init__" in vars(one)
        for name in inspect.signature(vars(one)["__init__"]).parameters
    }
    for name in arguments:
        if name in known or name.startswith("_"):
            continue
        if name in _RECIPIENT and "recipient" in known and name.endswith("s"):
            hint = (
                "; give recipient=…, one number; for several people use "
                "WhatsAppBroadcastOperator(recipients=…) or .partial(…).expand(recipient=…)"
            )
        elif name in _RECIPIENT and known & {"recipient", "recipients"}:
            (meant,) = known & {"recipient", "recipients"}
            hint = f"; give {meant}=…"
        elif (meant := _MEANT.get(name, "")) in known:
            hint = f"; give {meant}=…"
        elif close := get_close_matches(name, known, 1):
            hint = f"; did you mean {close[0]}=…?"
        else:
            hint = ""
        yield f"unknown argument {name!r:.60}{hint}"
