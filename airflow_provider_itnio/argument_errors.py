"""Errors about the arguments of an operator, notifier or hook name it, and end at the DAG file's line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar, cast

from airflow_provider_itnio._compat import current_task_group
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.dag_file import ending_at_dag_file

Class = TypeVar("Class", bound=type)

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
"""What to give in place of names that other providers and APIs have."""


def with_named_errors(base: Class) -> Class:
    """Return a base class whose subclasses tell what is wrong with their arguments.

    The error begins with ``task 'group.tell_finance'``, or the name of the class, and its traceback ends at
    the DAG file's own line.

    :param base: Airflow's base class.
    """

    class NamedErrors(type(base)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return _call(super().__call__, cls, kwargs, *args, **kwargs)

        @property
        def __signature__(cls) -> inspect.Signature:
            # Else that of __call__ above would be shown.
            _, *parameters = inspect.signature(getattr(cls, "__init__")).parameters.values()  # noqa: B009
            return inspect.Signature(parameters)

    made: Any = NamedErrors(f"_{base.__name__}", (base,), {"__module__": __name__, "__doc__": base.__doc__})
    if hasattr(base, "partial"):  # an operator's, for mapped tasks

        def partial(cls: Any, /, **kwargs: Any) -> Any:
            return _with_named_expand(_call(super(made, cls).partial, cls, kwargs, **kwargs))

        made.partial = classmethod(partial)
    return cast("Class", made)


def _with_named_expand(partial: Any) -> Any:
    """Let ``.expand(…)`` and ``.expand_kwargs(…)`` of a mapped task name it in their errors too."""
    airflows = type(partial)

    class NamedPartial(airflows):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def expand(self, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None, **kwargs}  # the group stands in the task_id by now
            return _call(super().expand, self.operator_class, given, **kwargs)

        def expand_kwargs(self, *args: Any, **kwargs: Any) -> Any:
            given = {**self.kwargs, "task_group": None}
            return _call(super().expand_kwargs, self.operator_class, given, *args, **kwargs)

    partial.__class__ = NamedPartial
    return partial


def _call(make: Callable[..., Any], cls: type, given: Mapping[str, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what makes an object, and name the object in the error if that fails."""
    try:
        return make(*args, **kwargs)
    except Exception as error:
        named = _named_error(error, cls, given)
    raise named


def _named_error(error: Exception, cls: type, given: Mapping[str, Any]) -> Exception:
    """Name the object in an error that kept it from being made, if it is about the object's arguments."""
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
    """Tell an error about arguments, which Airflow or Python raises, from one of a subclass's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return bool(module == __name__ or module.startswith("airflow."))


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
                    hint = "; what the function returns is the message"
            yield f"unknown argument {describe_value(name)}{hint}"


def _hint(name: str, known: set[str]) -> str:
    if name in _MANY and "recipient" in known:
        return (
            "; give recipient=…, one number; for several people use "
            "WhatsAppBroadcastOperator(recipients=…) or .partial(…).expand(recipient=…)"
        )
    if name in _ONE | _MANY and (meant := known & {"recipient", "recipients"}):
        return f"; give {meant.pop()}=…"
    if name.endswith("conn_id") and "itnio_conn_id" in known:
        return "; give itnio_conn_id=…"
    if name in _MEANT and (_MEANT[name].partition("=")[0] in known or _MEANT[name] is _CONNECTION):
        return f"; give {_MEANT[name]}"
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1, cutoff=0.7)
    return f"; did you mean {close[0]}=…?" if close else ""
