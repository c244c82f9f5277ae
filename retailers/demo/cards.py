"""The demo retailer's gift cards and vouchers, whose codes are in its files. Loading again changes nothing."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from kit import rpc
from kit.errors import Conflict
from oms.payments.v1 import stored_value_service_pb2 as pb
from oms.payments.v1.stored_value_service_pb2_grpc import StoredValueServiceStub
from oms.type.v1 import type_pb2 as types

_FILE = Path(__file__).parent / "data" / "stored_value.yaml"
_TIMEOUT_SECONDS = 60


def read() -> list[pb.IssueStoredValueRequest]:
    """What there is to issue. ValueError or KeyError for a mistake in the file."""
    return [_request(entry) for entry in yaml.safe_load(_FILE.read_text())]


async def load(payments: str) -> int:
    """Issues them at the service of this address (host:port); how many there are."""
    cards = read()
    async with rpc.connect(payments) as channel:
        stub = StoredValueServiceStub(channel)
        for card in cards:
            # Issued at another time from another file: it has been used since, so it is left alone.
            with suppress(Conflict):
                await stub.IssueStoredValue(card, timeout=_TIMEOUT_SECONDS)
    return len(cards)


def _request(entry: dict[str, Any]) -> pb.IssueStoredValueRequest:
    code: str = entry["code"]
    return pb.IssueStoredValueRequest(
        # Not the code, which is a secret also where it is none.
        request_id=f"demo/stored-value/{code[-4:]}",
        kind=pb.StoredValueKind.Value(f"STORED_VALUE_KIND_{entry['kind'].upper()}"),
        amount=types.Money(amount_minor=entry["amount_minor"], currency="EUR"),
        channels=entry.get("channels", []),
        single_use=entry.get("single_use", False),
        reason="to be tried out",
        actor="retailers/demo",
        code=code,
    )
