"""One model per message type: what it may hold and the JSON it becomes. All limits of a message are here.

Limits are the vendor's (pages ``waCustomSendMsg`` and ``waSendMsg``); where those are silent they are
WhatsApp's own, since a message over them would be accepted and then never arrive. Where sources disagree
(body of a list, number of contacts) the limit is the lower one, which every source allows. Characters are
counted as Unicode code points.
"""

from airflow_provider_itnio.api.models.message import Message, check_fields, message_from, model_of
from airflow_provider_itnio.api.models.text import TEXT_LIMIT

__all__ = ["TEXT_LIMIT", "Message", "check_fields", "message_from", "model_of"]
