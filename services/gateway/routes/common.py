"""What every group of endpoints is made with."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Path
from pydantic import BaseModel

from kit.values.ids import derived_id, new_id
from services.gateway.auth import Caller
from services.gateway.guard import GuardedRoute

_KEY = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_KEY_TEXT = "Repeating a request with the same key and content gives the first answer."

RequiredKey = Annotated[
    str,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=_KEY, description=_KEY_TEXT),
]
OptionalKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=_KEY, description=_KEY_TEXT),
]
OrderId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
FulfilmentId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
CarrierId = Annotated[str, Path(min_length=1, max_length=64, pattern=_ID)]
PointId = Annotated[str, Path(min_length=1, max_length=64, pattern=_ID)]
ChannelId = Annotated[str, Path(min_length=1, max_length=64, pattern=_ID)]
PickListId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
ManifestId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
LaneId = Annotated[str, Path(min_length=1, max_length=64, pattern=_ID)]
TransferId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
RefundId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
ChangeId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
NotificationId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
HoldId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
PauseId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
DeclarationId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
ReportId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
CountId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
TaskId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
DocumentNumber = Annotated[
    str, Path(min_length=1, max_length=100, pattern=r"^[A-Z0-9][A-Z0-9-]*$", examples=["WEB-FR-INV-2026-000042"])
]
EndpointId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]


def router(tag: str, prefix: str = "/v1") -> APIRouter:
    """A group of guarded endpoints."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=GuardedRoute)


def act_id(action: str, target: str, caller: Caller, body: BaseModel | None, key: str | None) -> str:
    """The id of an act: of the caller's key, or else of what is done, so that a repeated click is one act."""
    if key is not None:
        return derived_id("req", action, target, caller.subject, "key", key)
    content = json.dumps(body.model_dump(mode="json"), sort_keys=True) if body else ""
    return derived_id("req", action, target, caller.subject, "content", content)


def new_act_id(action: str, caller: Caller, key: str | None) -> str:
    """The id of an act that may be done again with the same content: only the caller's key makes two one."""
    return derived_id("req", action, caller.subject, key) if key is not None else new_id("req")
