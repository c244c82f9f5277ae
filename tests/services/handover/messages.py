"""Messages as a warehouse posts them, signed."""

import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from tests.simulators.warehouse import WEBHOOK_SECRET


def posted(
    fulfilment_id: str, what: str, *, message_id: str = "msg_1", secret: str = WEBHOOK_SECRET, **data: Any
) -> tuple[bytes, dict[str, str]]:
    """The body and its headers."""
    now = datetime.now(UTC)
    body = json.dumps(
        {
            "message_id": message_id,
            "type": f"preparation.{what}",
            "occurred_at": data.pop("occurred_at", now.isoformat()),
            "preparation_id": fulfilment_id,
            "data": data,
        }
    )
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    return body.encode(), headers
