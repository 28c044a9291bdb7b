"""The text of errors about arguments: the object's name, and which argument to use instead."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airflow_provider_itnio._compat import current_task_group
from airflow_provider_itnio.api.describe import closest_key, describe_value
from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.dag_file import ending_at_dag_file

_CALLED_IN: Final = "airflow_provider_itnio.argument_errors"
"""The module in which Python raises an error for arguments that do not match the signature."""
_ONE: Final = {"recipient", "to", "to_number", "phone", "phone_number", "number", "channel", "chat_id"}
_MANY: Final = {"recipients", "phones", "phone_numbers", "numbers"}
_MEDIA: Final = "image=…, video=…, audio=… or document=…"
_TEMPLATE: Final = "template=template_message('name', 'en', body=[…])"
_CONNECTION: Final = "it in the connection, and its id as itnio_conn_id=…"
_MEANT: Final[Mapping[str, str]] = {
    "api_key": _CONNECTION,
    "attachment": "document=…",
    "attachments": "document=…",
    "body": "text=…",
    "buttons": "interactive=reply_buttons(…)",
    "caption": 'image={"link": …, "caption": …}',
    "components": _TEMPLATE,
    "content": "text=…",
    "file": "document=…",
    "filename": 'document={"link": …, "filename": …}',
    "files": "document=…",
    "from_": "business_phone=…",
    "from_number": "business_phone=…",
    "host": _CONNECTION,
    "html_content": "text=…",
    "language": _TEMPLATE,
    "link": _MEDIA,
    "max_retries": "max_attempts=… for one try of the task, retries=… for tries of the task",
    "max_tries": "max_attempts=…",
    "media": _MEDIA,
    "media_url": _MEDIA,
    "messages": "text=…, or message={…}",
    "msg": "text=…",
    "password": _CONNECTION,
    "phone_number_id": "business_phone=…",
    "secret": _CONNECTION,
    "sender": "business_phone=…",
    "template_name": _TEMPLATE,
    "token": _CONNECTION,
    "url": _MEDIA,
}
"""The arguments to use instead of names from other providers and APIs."""


def is_of_arguments(error: Exception) -> bool:
    """Return whether an error is about the arguments, and not raised by the code of a subclass."""
    return isinstance(error, ItnioError) or _is_airflows(error)


def named_error(error: Exception, cls: type, given: Mapping[str, Any]) -> Exception:
    """Add the object's name to an error about its arguments.

    :param error: the error that was raised when the object was made.
    :param cls: the class of the object.
    :param given: the arguments.
    :return: the error to raise. Its traceback ends at the line in the DAG file.
    """
    if isinstance(error, ItnioError):
        error.where = error.where or _name(cls, given)
    elif not _is_airflows(error):
        return error
    elif error.args == (str(error),):
        error.args = (f"{_name(cls, given)}: {'; '.join(_unknown_arguments(cls, given)) or error}",)
        error.__suppress_context__ = True
    return ending_at_dag_file(error)


def _name(cls: type, given: Mapping[str, Any]) -> str:
    task_id = given.get("task_id")
    if not isinstance(task_id, str):
        return cls.__name__
    group = given["task_group"] if "task_group" in given else current_task_group()
    return f"task {(group.child_id(task_id) if group else task_id)!r:.200}"


def _is_airflows(error: Exception) -> bool:
    """Return whether Airflow or Python raised an error, and not the code of a subclass."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return bool(module == _CALLED_IN or module.startswith("airflow."))


def _unknown_arguments(cls: type, given: Mapping[str, Any]) -> Iterator[str]:
    known = {
        name
        for one in cls.__mro__
        if "__init__" in vars(one)
        for name in inspect.signature(vars(one)["__init__"]).parameters
    }
    for name in given:
        if name not in known and not name.startswith("_"):
            hint = _hint(name, known)
            if returned := getattr(cls, "returned_fields", ()):  # of @task.whatsapp
                if name in _MANY:
                    hint = "; give recipients=…"
                elif any(f"{field}=" in hint for field in returned):
                    hint = "; the function returns the message"
            yield f"unknown argument {describe_value(name)}{hint}"


def _hint(name: str, known: set[str]) -> str:
    if name in _MANY and "recipient" in known:
        return (
            "; give recipient=…, one number; for several recipients use "
            "WhatsAppBroadcastOperator(recipients=…) or .partial(…).expand(recipient=…)"
        )
    if name in _ONE | _MANY and (meant := known & {"recipient", "recipients"}):
        return f"; give {meant.pop()}=…"
    if name.endswith("conn_id") and "itnio_conn_id" in known:
        is_unclear = name == "conn_id" and "sql_conn_id" in known
        return "; give sql_conn_id=… or itnio_conn_id=…" if is_unclear else "; give itnio_conn_id=…"
    if name in _MEANT and (_MEANT[name].partition("=")[0] in known or _MEANT[name] is _CONNECTION):
        return f"; give {_MEANT[name]}"
    close = closest_key(name, known)
    return f"; did you mean {close}=…?" if close else ""
