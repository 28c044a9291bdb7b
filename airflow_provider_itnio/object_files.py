"""Turns a file in object storage into a signed link that WhatsApp can fetch.

The file is checked first: whether it exists, its size, its media type. With ``check_link``, plain links are
checked, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_itnio.api.checks import check_link_options
from airflow_provider_itnio.api.describe import describe_address, describe_value
from airflow_provider_itnio.api.errors import (
    LOOKUP_HINT,
    ConfigurationError,
    FileUnavailableError,
    InvalidMessageError,
    ItnioError,
)
from airflow_provider_itnio.api.links import is_signed, private_host, signatures_in
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.time_limit import run_with_timeout

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models.media_in_message import MediaInMessage
    from airflow_provider_itnio.api.models.message import Message

__all__ = ["MessageFiles"]

log = NeverRaisingLog(__name__)

_MAX_CACHED_LINKS: Final = 1000
"""Links that are kept for other messages with the same file."""
_CHECK_TTL: Final = 60.0
"""Seconds for which a file is not checked again."""
_MAX_MASKED: Final = 100
"""Links whose signatures are registered with Airflow's masking: each slows down every log line."""
_TYPE_OPTION: Final = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "ResponseContentType"),
    **dict.fromkeys(("gs", "gcs"), "response_type"),
    **dict.fromkeys(("abfs", "abfss", "az"), "content_type"),
}
"""The option of ``sign`` that sets the media type in the storage's response, by scheme. WhatsApp reads it."""

_PROVIDERS: Final = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(
        ("abfs", "abfss", "az", "adl", "wasb", "wasbs"), "apache-airflow-providers-microsoft-azure"
    ),
}
"""The Airflow provider that is needed, by scheme."""

CompleteMessage = Callable[[], "Message"]
"""Completes a message with a file. It does not call Airflow, so any thread may run it."""


class MessageFiles:
    """Completes messages with files.

    :param link_expires_in: how long a signed link can be fetched: a minute to 7 days, a timedelta or seconds.
    :param check_link: fetch the first bytes of plain links, and check them as objects are checked.
    :param timeout: seconds that :meth:`complete` may take; ``None`` for no limit. If the file of one message
        can't be read in time, the files of the next messages are not tried.
    """

    def __init__(
        self,
        link_expires_in: timedelta | float = timedelta(hours=1),
        check_link: bool = False,
        timeout: float | None = None,
    ) -> None:
        self._expires_in = check_link_options(link_expires_in, check_link)
        self._checks_links = check_link
        self._timeout = timeout
        self._failure = ""
        self._links: dict[tuple[str, str], tuple[str, float]] = {}
        self._warned_hosts: set[str] = set()
        self._masked_count = 0

    def complete(self, message: Message) -> Message:
        """Return the message with a link instead of an object.

        :raises InvalidMessageError: if the file does not exist, is too large, has a media type that WhatsApp
            does not take, or can't be signed.
        :raises ConfigurationError: if the storage's configuration is wrong.
        :raises FileUnavailableError: if the storage is unreachable now.
        """
        complete = self.prepare(message)
        if complete is None or self._timeout is None:
            return message if complete is None else complete()
        if self._failure:
            raise FileUnavailableError(self._failure)
        try:
            return run_with_timeout(self._timeout, complete)
        except FileUnavailableError as error:
            self._failure = str(error)
            raise
        except TimeoutError:
            limit = f"{self._timeout:g} seconds"
            self._failure = f"{message.type}: its file could not be read within {limit}, nothing was sent"
            raise FileUnavailableError(self._failure) from None

    def prepare(self, message: Message) -> CompleteMessage | None:
        """Look up the storage of the message's file in Airflow.

        :return: completes the message, and raises as :meth:`complete` does; ``None`` if it needs nothing.
        :raises ConfigurationError: if the storage's configuration is wrong.
        """
        from airflow_provider_itnio.api.models.media_in_message import media_in

        if (media := media_in(message)) is None:
            return None
        if media.source.object is not None:
            filesystem, path = open_storage(media.source.object, _where(media))
            return partial(self._with_signed_link, message, media, filesystem, path)
        self._warn_if_private(media)
        return partial(self._with_checked_link, message, media) if self._checks_links else None

    def _with_signed_link(
        self, message: Message, media: MediaInMessage, filesystem: Any, path: str
    ) -> Message:
        from airflow_provider_itnio.api.models.media_in_message import with_link

        address = media.source.object or ""
        name = "".join(filter(str.isprintable, address.rpartition("/")[2]))
        if (link := self._cached_link(media.kind, address)) is None:
            checked_at = time.monotonic()
            with storage_errors(_where(media)):
                link = self._check_and_sign(media, name, filesystem, path)
            self._cache_link(media, address, link, checked_at)
        return with_link(message, link, name)

    def _cached_link(self, kind: str, address: str) -> str | None:
        """Return the link of a file that was checked recently, for the next messages of a broadcast."""
        link, checked_at = self._links.get((kind, address), (None, 0.0))
        return link if time.monotonic() - checked_at <= min(_CHECK_TTL, self._expires_in / 10) else None

    def _check_and_sign(self, media: MediaInMessage, name: str, filesystem: Any, path: str) -> str:
        from airflow_provider_itnio.api.models.media_rules import (
            FIRST_BYTES,
            media_type,
            size_problem,
            type_problem,
        )

        filesystem.invalidate_cache(path)
        info = filesystem.info(path)
        if info.get("type") == "directory":
            raise _invalid(media, "is a folder, not a file")
        if problem := size_problem(media.kind, int(info.get("size") or 0)):
            raise _invalid(media, problem)
        first_bytes = filesystem.cat_file(path, start=0, end=FIRST_BYTES)
        if problem := type_problem(media.kind, name, first_bytes):
            raise _invalid(media, problem)
        link = _sign(media, filesystem, path, self._expires_in, media_type(media.kind, name, first_bytes))
        if not is_signed(link):
            raise _signing_error(media, f"{_credentials_owner(_where(media))} has no credentials")
        return link

    def _with_checked_link(self, message: Message, media: MediaInMessage) -> Message:
        from airflow_provider_itnio.api.link_check import check_link

        link = media.source.link or ""
        if self._cached_link(media.kind, link) is None:
            checked_at = time.monotonic()
            check_link(link, media.kind, getattr(media.source, "filename", None), f"{media.path}.link")
            self._cache_link(media, link, link, checked_at)
        return message

    def _cache_link(self, media: MediaInMessage, address: str, link: str, checked_at: float) -> None:
        if self._masked_count < _MAX_MASKED:
            _mask(link)
            self._masked_count += 1
        if len(self._links) >= _MAX_CACHED_LINKS:
            self._links.clear()
        self._links[media.kind, address] = link, checked_at
        self._warn_if_private(media, link)

    def _warn_if_private(self, media: MediaInMessage, link: str | None = None) -> None:
        host = private_host(link or media.source.link or "")
        if host and host not in self._warned_hosts and len(self._warned_hosts) < _MAX_MASKED:
            self._warned_hosts.add(host)
            log.warning(
                "%s: %s is a private address. WhatsApp fetches the file over the internet, so the message "
                "may be accepted and then not delivered",
                media.path,
                describe_value(host),
            )


def open_storage(address: str, where: str) -> tuple[Any, str]:
    """Return the filesystem of an address, and the path in it. Airflow looks up the connection.

    :param address: the address.
    :param where: the beginning of an error: the field and the address.
    :raises InvalidMessageError: if the storage can't create links that WhatsApp could fetch.
    :raises ConfigurationError: if the storage's configuration is wrong.
    """
    from fsspec import AbstractFileSystem

    with storage_errors(where):
        filesystem, path = _open(address)
        if type(filesystem).sign is AbstractFileSystem.sign:
            raise InvalidMessageError(
                f"{where} can't be signed, so WhatsApp could not fetch it: its storage has no signed links. "
                "Write the file to S3, Google Cloud Storage or Azure, or give a public link"
            )
    return filesystem, path


def _open(address: str) -> tuple[Any, str]:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    def look_up() -> tuple[Any, str]:
        _check_connection(address.partition("://")[2].partition("/")[0].rpartition("@")[0])
        path = ObjectStoragePath(address)
        return path.fs, path.path

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return look_up()
    # The filesystem of a provider may run another event loop. This thread waits, so only one calls Airflow.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, look_up).result()


@cache  # Airflow keeps the filesystem, with the connection's credentials, for as long
def _check_connection(conn_id: str) -> None:
    """Raise if a connection does not exist: the storage would be opened with the worker's own credentials."""
    from airflow.providers.common.compat.sdk import BaseHook

    if conn_id:
        BaseHook.get_connection(conn_id)


def _sign(media: MediaInMessage, filesystem: Any, path: str, seconds: int, media_type: str) -> str:
    protocol = filesystem.protocol if isinstance(filesystem.protocol, str) else filesystem.protocol[0]
    options = {_TYPE_OPTION[protocol]: media_type} if media_type and protocol in _TYPE_OPTION else {}
    try:
        return str(filesystem.sign(path, expiration=seconds, **options))
    except OSError:
        raise
    except Exception as error:
        raise _signing_error(media, _text(error)) from None


def _signing_error(media: MediaInMessage, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_where(media)} can't be signed: {reason}. Name a connection before the bucket, as in "
        "s3://conn@bucket/…, with an access key (S3), a service account's key (Google) or an account key "
        "(Azure). Or give the file as a public link"
    )


def _mask(link: str) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    for signature in signatures_in(link):
        mask_secret(signature)


def _where(media: MediaInMessage) -> str:
    return f"{media.path}.object: {describe_address(media.source.object or '')}"


def _invalid(media: MediaInMessage, problem: str) -> InvalidMessageError:
    return InvalidMessageError(f"{_where(media)} {problem}")


@contextmanager
def storage_errors(where: str, *, writes: bool = False) -> Iterator[None]:
    """Turn the exceptions of the storage, or of Airflow, into this package's errors.

    :param where: the beginning of an error: the field and the file's address.
    :param writes: whether the file is written, not read.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    verb, done = ("write", "written") if writes else ("read", "read")
    try:
        yield
    except ItnioError:
        raise
    except (FileNotFoundError, IsADirectoryError):
        reason = (
            "can't be written: there is no such bucket or folder"
            if writes
            else "does not exist. Is the task that writes it upstream of this one?"
        )
        raise InvalidMessageError(f"{where} {reason}") from None
    except PermissionError as error:
        raise ConfigurationError(
            f"{where} does not exist, or {_credentials_owner(where)} may not {verb} it: {_text(error)}"
        ) from None
    except AirflowNotFoundException:
        raise FileUnavailableError(
            f"{where} can't be opened: there is no Airflow connection with the id before the @. Add it, or "
            f"remove the id and the @ to use the worker's own credentials. {LOOKUP_HINT}"
        ) from None
    except (ImportError, ValueError, TypeError, AttributeError) as error:
        provider = _PROVIDERS.get(where.partition("://")[0].rpartition("'")[2].lower())
        raise ConfigurationError(
            f"{where} can't be opened: {_text(error)}. Its scheme needs the Airflow provider of that storage"
            + (f": pip install '{provider}'" if provider else "")
        ) from None
    except Exception as error:
        raise FileUnavailableError(f"{where} could not be {done}, nothing was sent: {_text(error)}") from None


def _credentials_owner(where: str) -> str:
    """Return for an error whose credentials open the file."""
    if "@" in where.partition("://")[2].partition("/")[0]:
        return "the connection in its address"
    return "the worker itself (no connection is named before the bucket, as in s3://conn@bucket/…)"


def _text(error: Exception) -> str:
    from airflow.providers.common.compat.sdk import redact

    from airflow_provider_itnio.api.protocol import clean

    return f"{type(error).__name__}: {clean(str(redact(str(error))), 200)}"
