"""Prepare the files of a hook's messages: sign objects, and check links, before a message is sent."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage
    from airflow_provider_itnio.object_files import MessageFiles

__all__ = ["Files"]


class Files:
    """Prepares messages that have a file; its imports run only for such messages."""

    _file_options: tuple[timedelta | float, bool]
    file_timeout: float | None = None
    """Seconds in which a message's file must be checked; ``None`` for the storage's own limits."""

    @cached_property
    def files(self) -> MessageFiles:
        """The object that signs and checks files."""
        from airflow_provider_itnio.object_files import MessageFiles

        return MessageFiles(*self._file_options, timeout=self.file_timeout)

    def check_file(self, message: Message) -> None:
        """Check the file of a message before it is sent to many recipients.

        :param message: the message.
        :raises InvalidMessageError: if WhatsApp could not fetch its file or does not accept it.
        :raises ConfigurationError: if the storage's configuration is wrong.
        :raises NotSentError: if the storage is unreachable at the moment.
        """
        if _may_have_file(message):
            self.files.complete(message)

    def _with_file(self, prepared: PreparedMessage) -> PreparedMessage:
        if not _may_have_file(prepared.message):
            return prepared
        return replace(prepared, message=self.files.complete(prepared.message))

    async def _awith_file(self, prepared: PreparedMessage) -> PreparedMessage:
        if not _may_have_file(prepared.message):
            return prepared
        from asgiref.sync import sync_to_async

        # sync_to_async, so that the storage's connection can be read from Airflow.
        return replace(prepared, message=await sync_to_async(self.files.complete)(prepared.message))


def _may_have_file(message: Message) -> bool:
    from airflow_provider_itnio.api.links import TYPES_WITH_FILES

    return message.type in TYPES_WITH_FILES
