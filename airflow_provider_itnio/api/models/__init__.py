"""One model per message type: its fields, their limits and its JSON. All limits of a message are here.

The limits are the vendor's (pages ``waCustomSendMsg`` and ``waSendMsg``). If those give none, the limit is
WhatsApp's, since a message over it would be accepted and then never arrive. If sources disagree (body of a
list, number of contacts), it is the lower one. Characters are counted as Unicode code points.
"""

from airflow_provider_itnio.api.models.message import Message, check_fields, message_from, model_of
from airflow_provider_itnio.api.models.text import TEXT_LIMIT

__all__ = ["TEXT_LIMIT", "Message", "check_fields", "message_from", "model_of"]
