"""What an endpoint receives: a CloudEvent 1.0 in structured JSON, signed after Standard Webhooks."""

import base64
from datetime import datetime

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

from services.relay.domain import Event

SECRET_BYTES = 32


def body_of(event: Event) -> str:
    """The body, the same at each attempt."""
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.occurred_at,
        "datacontenttype": "application/json",
    }
    return JSONFormat().write(CloudEvent(attributes=attributes, data=dict(event.data))).decode()


def secret_of(key: bytes) -> str:
    """A signing key as endpoints keep it. Standard Webhooks asks for 24 to 64 bytes."""
    return "whsec_" + base64.b64encode(key).decode()


def headers_of(secret: str, event_id: str, body: str, at: datetime) -> dict[str, str]:
    """The headers of one attempt. The id is the event's, so that a receiver sees a repetition."""
    return {
        "content-type": JSONFormat.CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body),
    }
