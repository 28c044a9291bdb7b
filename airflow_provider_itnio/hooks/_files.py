"""The files of a hook's messages: objects are signed, and links checked, before a message is sent."""

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
    """What the hook does with a message that has a file. For others nothing is loaded."""

    _file_options: tuple[timedelta | float, bool]
    file_timeout: float | None = None
    """Seconds in which a message's file must be checked; ``None`` for as long as its storage tries."""

    @cached_property
    def files(self) -> MessageFiles:
        """What makes messages ready that have files."""
        from airflow_provider_itnio.object_files import MessageFiles

        return MessageFiles(*self._file_options, timeout=self.file_timeout)

    def check_file(self, message: Message) -> None:
        """Check the file of a message that goes to many people, before it goes to the first.

        :param message: the message.
        :raises InvalidMessageError: if WhatsApp could not fetch its file or would not take it.
        :raises ConfigurationError: if the storage can't be used as it is configured.
        :raises NotSentError: if the storage can't be reached just now.
        """
        if _may_have_file(message):
            self.files.completed(message)

    def _with_file(self, prepared: PreparedMessage) -> PreparedMessage:
        if not _may_have_file(prepared.message):
            return prepared
        return replace(prepared, message=self.files.completed(prepared.message))

    async def _awith_file(self, prepared: PreparedMessage) -> PreparedMessage:
        if not _may_have_file(prepared.message):
            return prepared
        from asgiref.sync import sync_to_async

        # In a thread from which Airflow can be asked for the connection of the storage.
        return replace(prepared, message=await sync_to_async(self.files.completed)(prepared.message))


def _may_have_file(message: Message) -> bool:
    from airflow_provider_itnio.api.links import WITH_FILES

    return message.type in WITH_FILES
