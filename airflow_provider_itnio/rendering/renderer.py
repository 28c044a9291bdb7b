"""Renders a text of a DAG file: as text, or as a Python object if it is a single expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from jinja2 import Environment, Template, TemplateError, TemplateNotFound, nodes
from jinja2.nativetypes import NativeCodeGenerator, native_concat

from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.values import integral
from airflow_provider_itnio.rendering.environment import AirflowLookupError, data_environment
from airflow_provider_itnio.rendering.missing_values import UndefinedName, unwrap_all
from airflow_provider_itnio.templating import TEMPLATE_EXT, is_template_file

_UNDEFINED_DATE: Final = re.compile(r"'((?:ds|ts)(?:_nodash)?(?:_with_tz)?|logical_date)' is undefined")


class Renderer:
    """Renders texts of a DAG file with the same variables.

    A missing value is an error, never text. The result of an expression is not rendered again.

    :param environment: the Jinja environment, never a native one. Its loader finds the Jinja files.
    :param variables: the variables for Jinja.
    :param template_ext: endings of the names of Jinja files.
    """

    def __init__(
        self,
        environment: Environment,
        variables: dict[str, Any],
        template_ext: Sequence[str] = TEMPLATE_EXT,
    ) -> None:
        self._environment = data_environment(environment)
        self._template_ext = template_ext
        self.variables = variables
        for name, value in environment.globals.items():
            if name not in variables:
                variables[name] = value

    def compiled(self, text: str, path: str) -> Callable[[], str]:
        """Compile a text that is rendered many times.

        :param text: the text, or the name of a Jinja file.
        :param path: the text's path for errors.
        :return: a function that renders the text with the current variables. It raises
            ``InvalidMessageError`` if the text can't be rendered.
        :raises InvalidMessageError: if the text can't be compiled, or the file is not found.
        """
        make_context, variables = self._environment.context_class, self.variables
        template = self._template(text, path, self._environment)
        environment, render = self._environment, template.root_render_func
        name, blocks = template.name, template.blocks

        def rendered() -> str:
            # As Template.render does, without a copy of the variables for each text.
            try:
                return "".join(render(make_context(environment, variables, name, blocks)))
            except Exception as error:
                raise _rendering_error(error, path) from error

        return rendered

    def text(self, text: str, path: str) -> str:
        """Render a text."""
        return self.compiled(text, path)()

    def text_or_object(self, text: str, path: str, *, or_number: bool = False) -> Any:
        """Render a text. If it is a single expression that returns a list or a dict, return that object.

        :param text: as for :meth:`compiled`.
        :param path: the text's path for errors.
        :param or_number: return a whole number as a number, too: as text, a float would get a decimal point.
        """
        if not self._is_single_expression(text, path):
            return self.text(text, path)

        def convert(values: Iterator[Any]) -> Any:
            value = next(iter(values), "")
            is_object = not isinstance(value, (str, bytes, UndefinedName)) and hasattr(
                type(value), "__iter__"
            )
            is_kept = is_object or (or_number and integral(value) is not None)
            return unwrap_all(value) if is_kept else str(value)

        return self._evaluate(text, path, convert)

    def native(self, text: str, path: str) -> Any:
        """Render a text natively: a text that is a Python literal becomes its value."""
        return self._evaluate(text, path, lambda values: unwrap_all(native_concat(values)))

    def _is_single_expression(self, text: str, path: str) -> bool:
        if is_template_file(text, self._template_ext):
            return False
        try:
            body = self._environment.parse(text.strip()).body
        except TemplateError as error:
            raise InvalidMessageError(f"{path}: {describe_error(error)}") from error
        (statement,) = body if len(body) == 1 else (None,)
        return (
            isinstance(statement, nodes.Output)
            and len(statement.nodes) == 1
            and not isinstance(statement.nodes[0], nodes.TemplateData)
        )

    def _evaluate(self, text: str, path: str, convert: Callable[[Iterator[Any]], Any]) -> Any:
        environment = self._environment.overlay()
        environment.code_generator_class = NativeCodeGenerator
        environment.concat = native_concat  # type: ignore[assignment]
        template = self._template(
            text if is_template_file(text, self._template_ext) else text.strip(), path, environment
        )
        context = environment.context_class(environment, self.variables, template.name, template.blocks)
        try:
            return convert(template.root_render_func(context))
        except Exception as error:
            raise _rendering_error(error, path) from error

    def _template(self, text: str, path: str, environment: Environment) -> Template:
        try:
            if is_template_file(text, self._template_ext):
                return environment.get_template(text)
            return environment.from_string(str.__str__(text))  # str.__str__ for members of a str enum
        except (TemplateError, OSError, TypeError) as error:  # TypeError: there is no loader
            if is_template_file(text, self._template_ext) and not isinstance(error, TemplateError):
                error = TemplateNotFound(text)
            raise InvalidMessageError(f"{path}: {describe_error(error)}") from error


def _rendering_error(error: Exception, path: str) -> Exception:
    if isinstance(error, AirflowLookupError):
        return error.error  # may be temporary, and is no error in the message
    return InvalidMessageError(f"{path}: could not be rendered: {describe_error(error)}")


def describe_error(error: Exception) -> str:
    """Return why a text could not be rendered, in one short line with phone numbers masked."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    try:
        message = " ".join(str(error).split())
    except Exception:  # str() may run code of the data, which may raise
        message = ""
    if isinstance(error, TemplateNotFound):
        message = f"the Jinja file {str(error.name)[:60]!r} was not found"
    if (name := _UNDEFINED_DATE.fullmatch(message)) is not None:
        message += f"; a run without a logical date has no {name[1]}, use run_id or dag_run.run_after"
    message = re.sub(r"'?[\w.]*TemplateRows( object)?'?", "rows", message)
    message = re.sub(r"[\w.]*\._(?:List|Tuple) object", "the list", message)
    return truncate(mask_phone_numbers(message), 240) or type(error).__name__
