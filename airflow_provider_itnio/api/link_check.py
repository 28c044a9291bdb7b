"""Check that WhatsApp could fetch a link: fetch its first bytes without a login."""

from __future__ import annotations

import time
from email.message import Message as Headers
from http.client import HTTPException, InvalidURL
from string import punctuation
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from airflow_provider_itnio import __version__
from airflow_provider_itnio.api.describe import describe_value, link_without_query
from airflow_provider_itnio.api.errors import FileUnavailableError, InvalidMessageError
from airflow_provider_itnio.api.links import private_host
from airflow_provider_itnio.api.models.media_rules import FIRST_BYTES, size_problem, type_problem

_TIMEOUT: Final = 10.0
_MAX_REDIRECTS: Final = 5
_REDIRECT_STATUSES: Final = (301, 302, 303, 307, 308)


def check_link(link: str, kind: str, name: str | None, path: str) -> None:
    """Fetch the first bytes of a link, and check that it exists, its size and its media type.

    :param link: the link. At most 5 redirects are followed, none from a public address into this network.
    :param kind: the message's type.
    :param name: the file's name; ``None`` takes the last part of the link's path.
    :param path: the link's path in the message, for errors.
    :raises InvalidMessageError: if WhatsApp could not fetch it or does not accept it.
    :raises FileUnavailableError: if its server is unreachable at the moment.
    """
    where = f"{path}: {describe_value(link_without_query(link))}"
    first_bytes, headers = _fetch(link, where)
    size = _size(headers)
    problem = size_problem(kind, size) if size is not None else "" if first_bytes else "is empty"
    if not problem:
        last_part = unquote(urlsplit(link).path.rpartition("/")[2])
        problem = type_problem(kind, name or last_part, first_bytes, headers.get_content_type())
    if problem:
        raise InvalidMessageError(f"{where} {problem}")


def _fetch(link: str, where: str) -> tuple[bytes, Headers]:
    deadline = time.monotonic() + _TIMEOUT
    url = link
    for _ in range(_MAX_REDIRECTS + 1):
        failure: Exception | None = None
        try:
            with _opener().open(_request(url), timeout=_TIMEOUT) as response:
                status, headers = response.status, response.headers
                first_bytes = _read_first_bytes(response, deadline) if status in (200, 206) else b""
        except (OSError, HTTPException, ValueError) as error:
            failure = error
        if failure is not None:  # raised outside of the handler, so that the failure is no context
            raise _fetch_error(failure, where)
        if status not in _REDIRECT_STATUSES:
            return _check_status(status, first_bytes, headers, where)
        url = _redirect_target(url, headers.get("Location") or "", where)
    raise InvalidMessageError(f"{where} redirects more than {_MAX_REDIRECTS} times")


def _fetch_error(failure: Exception, where: str) -> FileUnavailableError | InvalidMessageError:
    name = type(failure).__name__
    if isinstance(failure, OSError):
        error_text = f"{name}: {describe_value(str(failure))}"
        return FileUnavailableError(f"{where} could not be fetched, nothing was sent: {error_text}")
    # The texts of these errors contain the link with its signature.
    if isinstance(failure, (InvalidURL, ValueError)):
        return InvalidMessageError(
            f"{where} can't be fetched: it, or a link it redirects to, is not a valid URL ({name})"
        )
    return FileUnavailableError(f"{where} could not be fetched, nothing was sent: {name}")


def _check_status(status: int, first_bytes: bytes, headers: Headers, where: str) -> tuple[bytes, Headers]:
    if status in (200, 206):
        return first_bytes, headers
    if status == 416:  # there is no first byte
        raise InvalidMessageError(f"{where} is empty")
    if status == 429 or status >= 500:
        raise FileUnavailableError(
            f"{where} could not be fetched, nothing was sent: its server answers HTTP {status}"
        )
    raise InvalidMessageError(
        f"{where} can't be fetched without a login: its server answers HTTP {status}. Is it public and, if "
        "it is signed, still valid?"
    )


def _redirect_target(url: str, location: str, where: str) -> str:
    # http.client decodes the header as Latin-1; its bytes are percent-encoded, as browsers do.
    location = quote(location, safe=punctuation, encoding="latin-1", errors="replace")
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        is_link = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_link = False
    if not is_link:
        raise InvalidMessageError(f"{where} does not redirect to an http:// or https:// link")
    if "@" in parts.netloc:
        raise InvalidMessageError(f"{where} redirects to a link with a user name; WhatsApp can't log in")
    host = private_host(target)
    if host and not private_host(url):
        raise InvalidMessageError(
            f"{where} redirects to {describe_value(host)}, an address that only this network knows"
        )
    return target


def _read_first_bytes(response: Any, deadline: float) -> bytes:
    data = b""
    while len(data) < FIRST_BYTES and (chunk := response.read1(FIRST_BYTES - len(data))):
        data += chunk
        if time.monotonic() > deadline:
            break
    return data


def _size(headers: Headers) -> int | None:
    total = (headers.get("Content-Range") or "").rpartition("/")[2]
    length = total or ("" if headers.get("Content-Range") else headers.get("Content-Length") or "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None


def _request(link: str) -> Request:
    headers = {
        "Range": f"bytes=0-{FIRST_BYTES - 1}",
        "User-Agent": f"airflow-provider-itnio/{__version__}",
        "Accept-Encoding": "identity",
    }
    return Request(link, headers=headers)  # noqa: S310  checked to be http or https


def _opener() -> OpenerDirector:
    """Return an opener that returns all answers, also redirects: each target is checked first."""
    from airflow_provider_itnio.api.network import tls_context

    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(context=tls_context(timed=False))):
        opener.add_handler(handler)
    return opener
