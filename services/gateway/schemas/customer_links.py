"""Links by which customers follow their orders without a login."""

from datetime import datetime

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Sent, Shown


class CustomerLink(Sent):
    """How long the link is to last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 90}]})

    days: int = Field(90, ge=1, le=366, description="From now on, and to the end of that hour")


class CustomerLinkView(Shown):
    """The link: who has it sees the order's page, and may cancel it in time. Send it to the customer alone."""

    url: str = Field(examples=["https://orders.example/track/ord_5f0c1f6f.493236.k3yq"])
    ends_at: datetime
