"""A question to several recipients, and which option an incoming message chooses. No I/O."""

from __future__ import annotations

import hmac
import json
import secrets
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypedDict

from airflow_provider_itnio.api.checks import check_name
from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError, NotDeliveredError
from airflow_provider_itnio.api.message_ids import message_id_problem
from airflow_provider_itnio.api.phone_numbers import canonical_number
from airflow_provider_itnio.api.values import plain_scalar
from airflow_provider_itnio.status_texts import WINDOW_CODES

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.api.receiver import IncomingMessage
    from airflow_provider_itnio.api.signing import Secret

MAX_KEY_LENGTH: Final = 100
"""Most characters of an option's key, so that its id has at most 200, the limit for a row of a list."""
_MAC_BYTES: Final = 16
_CLOCK_SKEW: Final = 5.0
"""Seconds that this machine's clock may be ahead of Itniotech's."""
NOT_OPEN: Final = "the receiver did not list the question as open"
_CAPTION_TYPES: Final = frozenset({"image", "video", "audio", "document", "sticker", "location", "contacts"})
"""Types of messages whose text is a caption, so not an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message of the question.

    :param recipient: the recipient's number, digits only.
    :param message_id: its id; empty if it is unknown whether it was accepted.
    :param type: ``interactive`` or ``template``.
    :param at: when it was accepted, in Unix seconds by Itniotech's clock; ``None`` if unknown.
    """

    recipient: str = field(repr=False)
    message_id: str
    type: str
    at: float | None

    @property
    def has_usable_id(self) -> bool:
        """Whether the receiver can be asked for the message's status."""
        return bool(self.message_id) and not message_id_problem(self.message_id)


class AnswerDict(TypedDict):
    """The answer to a question as plain JSON, as in XCom.

    ``answered_by`` and ``answered_at`` are ``None`` if no recipient answered.
    """

    answer: str
    answered_by: str | None
    answered_at: str | None


class Choice(NamedTuple):
    """The option that an incoming message chooses.

    :param option: the option's key; ``None`` if the message is no answer.
    :param ignored: why it does not count as an answer, if it looks like one.
    :param means: the key of the option that it names, if it may be the answer to another question.
    """

    option: str | None
    ignored: str = ""
    means: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """An open question. It can be written as plain JSON, and contains no secret.

    :param id: a new id each time that a task asks.
    :param task: the task instance that asks.
    :param options: titles by key.
    :param business_phone: the number that messages come from, digits only.
    :param ends_at: Unix time in seconds after which no answer counts.
    :param cursor: the cursor of the receiver after which answers arrive.
    :param asked: the messages of the question.
    :param begun_at: Unix time in seconds just before the first message was sent; 0 if unknown.
    :param has_places: whether all recipients see the options in the same order, so that ``1`` is the first.
    :param takes_typed: whether typed answers count. If not, only a tap on a button counts.
    :param unclear: who typed an option that may belong to another question; empty if there is no such answer.
    """

    id: str
    task: str
    options: Mapping[str, str]
    business_phone: str = field(repr=False)
    ends_at: float
    cursor: str = ""
    asked: tuple[Asked, ...] = ()
    begun_at: float = 0.0
    has_places: bool = True
    takes_typed: bool = True
    unclear: str = ""

    @staticmethod
    def new_id() -> str:
        """Return a new unique id."""
        return secrets.token_hex(8)

    def as_dict(self) -> dict[str, Any]:
        """Return the question as plain JSON. The options are pairs, since databases may reorder keys."""
        asked, options = [asdict(item) for item in self.asked], [list(item) for item in self.options.items()]
        return asdict(self) | {"asked": asked, "options": options}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Create a question from the result of :meth:`as_dict`."""
        asked, options = tuple(Asked(**item) for item in data["asked"]), dict(data["options"])
        return cls(**{**data, "asked": asked, "options": options})

    @property
    def was_accepted(self) -> bool:
        """Whether at least one message of the question was accepted."""
        return any(sent.message_id for sent in self.asked)

    @property
    def ends(self) -> str:
        """When the question closes, in ISO 8601 and UTC."""
        return datetime.fromtimestamp(self.ends_at, UTC).isoformat(timespec="seconds")

    def with_receipt(self, receipt: ReceiptDict, *, is_first: bool = True) -> Self:
        """Return the question with one more message.

        :param receipt: the message's receipt.
        :param is_first: whether it is certainly the first message of the question to this recipient.
        """
        at = datetime.fromisoformat(receipt["timestamp"]).timestamp() if receipt["timestamp"] else None
        return self._with(
            Asked(receipt["recipient"], receipt["message_id"], receipt["type"], at if is_first else None)
        )

    def with_unknown(self, recipient: str) -> Self:
        """Return the question with one more message that may or may not have been accepted.

        :param recipient: the recipient's number, digits only.
        """
        return self._with(Asked(recipient, "", "", None))

    def _with(self, asked: Asked) -> Self:
        return replace(self, asked=(*self.asked, asked))

    def errors_of(self, failed: Mapping[str, Mapping[str, Any]]) -> dict[str, NotDeliveredError]:
        """Return the errors of messages that failed, by the recipient's number.

        :param failed: ``failure`` and ``code`` by message id.
        """
        return {
            sent.recipient: NotDeliveredError(
                str(failed[sent.message_id]["failure"]), status="failed", code=failed[sent.message_id]["code"]
            )
            for sent in self.asked
            if sent.message_id in failed
        }

    def is_for_template(self, recipient: str, error: NotDeliveredError) -> bool:
        """Return whether a WhatsApp template would reach a recipient whom the question did not reach.

        :param recipient: the recipient's number, digits only.
        :param error: why the recipient's message failed.
        """
        types = {sent.type for sent in self.asked if sent.recipient == recipient}
        return error.code in WINDOW_CODES and "template" not in types

    def option_id(self, secret: Secret, recipient: str, key: str) -> str:
        """Return the id of an option's button: its key, the question's id and a code made with the secret.

        :param secret: the connection's secret.
        :param recipient: the number of the recipient who gets the button, digits only.
        :param key: the option's key.
        """
        signed = json.dumps([self.id, self.task, canonical_number(recipient), key]).encode()
        mac = hmac.digest(secret.reveal().encode(), b"itnio question\n" + signed, "sha256")
        return f"{key}.{self.id}.{urlsafe_b64encode(mac[:_MAC_BYTES]).decode().rstrip('=')}"

    def choice_of(self, message: IncomingMessage, secret: Secret) -> Choice:
        """Return which option an incoming message chooses.

        For a button, only its code counts. Typed words count if they quote the question, or if no other
        question was open to the sender when they arrived.

        :param message: the incoming message: untrusted text.
        :param secret: the connection's secret.
        """
        sender = canonical_number(message.sender)
        to_sender = [sent for sent in self.asked if canonical_number(sent.recipient) == sender]
        quotes_it = message.reply_to in {sent.message_id for sent in to_sender if sent.message_id}
        for payload in (message.option_id, message.text):
            if payload and f".{self.id}." in payload:
                return self._choice_by_button(message, payload, sender, secret, quotes_it=quotes_it)
        typed = None
        if message.type not in _CAPTION_TYPES and len(message.text) <= 2 * MAX_KEY_LENGTH:
            texts = option_texts(self.options, has_places=self.has_places)
            typed = texts.get(_normalize(message.text)) or texts.get(_normalize(message.text, around="PS"))
        if not to_sender:
            is_for_others = typed is None or message.questions
            return Choice(None, "" if is_for_others else "from a number that was not asked")
        if typed is None:
            return Choice(None, "none of the options")
        if quotes_it:
            in_time = self._choice_in_time(message, typed)
            if self.takes_typed or in_time.option is None:
                return in_time
            if message.option_id is not None:
                return Choice(None, "a tap without its code, and typed answers do not count", typed)
        if ignored := self._rejection_reason(message, to_sender):
            return Choice(None, ignored)
        if unclear := self._ambiguity_reason(message):
            return Choice(None, unclear, typed)
        return Choice(typed)

    def _choice_by_button(
        self, message: IncomingMessage, option_id: str, sender: str, secret: Secret, *, quotes_it: bool
    ) -> Choice:
        given = option_id.strip().encode("utf-8", "replace")
        for sent in self.asked:
            for key in self.options:
                if hmac.compare_digest(self.option_id(secret, sent.recipient, key).encode(), given):
                    if canonical_number(sent.recipient) != sender:
                        return Choice(None, "the button of another person's question")
                    return self._choice_in_time(message, key)
        key = option_id.strip().partition(f".{self.id}.")[0]
        return Choice(None, "its code is not valid", key if quotes_it and key in self.options else None)

    def _rejection_reason(self, message: IncomingMessage, to_sender: Sequence[Asked]) -> str:
        """Return why typed words are certainly not an answer to this question; empty if they may be one."""
        if message.option_id is not None:
            return "a button of another message"
        if not self.takes_typed:
            return "typed, and only a tap counts"
        if message.reply_to:
            return "the answer to another message"
        to = message.business_phone
        if to and canonical_number(to) != canonical_number(self.business_phone):
            return "written to another business phone"
        asked_at = (self.begun_at - _CLOCK_SKEW if sent.at is None else sent.at for sent in to_sender)
        if message.at.timestamp() < min(asked_at):
            return "written before the question"
        return self._choice_in_time(message, "").ignored

    def _ambiguity_reason(self, message: IncomingMessage) -> str:
        """Return why typed words may be the answer to another question; empty if that is impossible."""
        if len({self.id, *message.questions}) > 1:
            return "more than one question is open to this number"
        if {*message.closed_questions} - {self.id}:
            return "another question to this number was just closed"
        if self.id not in message.questions:
            return NOT_OPEN
        return ""

    def _choice_in_time(self, message: IncomingMessage, key: str) -> Choice:
        if message.at.timestamp() > self.ends_at:
            return Choice(None, "too late")
        return Choice(key)


def option_texts(options: Mapping[str, str], *, has_places: bool = True) -> dict[str, str]:
    """Return the words that a recipient may type, and the option of each: its key, title, or position from 1.

    Positions do not count if a title contains a digit, or a key begins with one.

    :param options: titles by key.
    :param has_places: whether positions may count.
    """
    texts: dict[str, str] = {}
    for key, title in options.items():
        texts |= {_normalize(key): key, _normalize(title): key}
    in_titles = any(character.isdecimal() for title in options.values() for character in _normalize(title))
    if has_places and not in_titles and not any(_normalize(key)[:1].isdecimal() for key in options):
        texts |= {str(number): key for number, key in enumerate(options, 1)}
    return texts


def options_by_key(options: Any) -> Any:
    """Return options as a dict with plain keys. An enum becomes its value, as in JSON after a deferral.

    :param options: the operator's argument: titles by key, or a list of pairs. Other values are returned as
        they are.
    :raises InvalidParameterError: if two options have the same key.
    """
    is_list = isinstance(options, list | tuple)
    are_pairs = is_list and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in options)
    if not are_pairs and not isinstance(options, Mapping):
        return options
    by_key: dict[Any, Any] = {}
    for given, title in options if are_pairs else options.items():
        key = plain_scalar(given)
        if not isinstance(key, str) or key in by_key:
            raise InvalidParameterError(
                f"options: a key must be text that no other option has, {describe_value(key)} given"
            )
        by_key[key] = title
    return by_key


def check_options(options: object, is_unrendered: Callable[[Any], bool] = lambda value: False) -> None:
    """Check the keys of options, and that no typed word means two options. The message checks the titles.

    :param options: titles by key.
    :param is_unrendered: returns whether a value is rendered later.
    :raises InvalidParameterError: if they are invalid.
    """
    if not isinstance(options, Mapping):
        raise InvalidParameterError(
            f'options: must be a dict of titles by key, as in {{"yes": "Load again"}}, or a list of pairs, '
            f"{describe_value(options)} given"
        )
    if not 1 <= len(options) <= 10:
        raise InvalidParameterError(f"options: must be 1 to 10, {len(options)} given")
    by_text: dict[str, str] = {}
    for key, title in options.items():
        _check_key(key)
        for text in {_normalize(text) for text in (key, title) if not is_unrendered(text)}:
            if not text and str(title).strip():
                raise InvalidParameterError(
                    f"options: key and title of {describe_value(key)} must have a visible character"
                )
            if by_text.setdefault(text, key) != key:
                raise InvalidParameterError(
                    f"options: {text!r:.50} would mean {by_text[text]!r:.50} and {key!r:.50}; recipients may "
                    "type an option's key or title, so two options can't share one"
                )


def _check_key(key: object) -> None:
    if not isinstance(key, str) or key != key.strip() or len(key) > MAX_KEY_LENGTH:
        raise InvalidParameterError(
            f"options: a key must be text of 1 to {MAX_KEY_LENGTH} characters without spaces around it, "
            f"{describe_value(key)} given"
        )
    check_name("options: a key", key)


def _normalize(text: object, around: str = "P") -> str:
    """Normalize a text for comparison: case and width folded, without whitespace and invisible characters.

    Punctuation (P), and with ``PS`` also symbols (S), is removed at both ends, unless nothing else is left.
    """
    folded = unicodedata.normalize("NFKC", str(text)).casefold()
    visible = "".join(character for character in folded if not _is_invisible(character))
    first, end = 0, len(visible)
    while first < end and unicodedata.category(visible[first])[0] in around:
        first += 1
    while end > first and unicodedata.category(visible[end - 1])[0] in around:
        end -= 1
    return visible[first:end] or visible


def _is_invisible(character: str) -> bool:
    is_variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return character.isspace() or is_variation or unicodedata.category(character) in ("Cf", "Cc", "Me")
