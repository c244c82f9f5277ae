"""Faults that tests order: each is taken by the next matching call, `count` times. Not kept over a restart."""

from typing import Literal

from pydantic import BaseModel, Field

Operation = Literal[
    "create",
    "confirm",
    "increment",
    "capture",
    "cancel",
    "refund",
    "retrieve",
    # POST customers, setup_intents; checkout/sessions and their expiry; terminal readers' actions.
    "customer",
    "setup",
    "checkout",
    "expire",
    "reader",
]


class Fault(BaseModel):
    """One order. Without `order_id` it takes whoever comes."""

    operation: Operation
    kind: Literal[
        # The bank refuses (create, confirm, increment, capture, setup) or the provider does (the others).
        "decline",
        # Done, but the answer never arrives.
        "timeout_after_success",
        # The request is swallowed: nothing done, no answer.
        "timeout_before",
        # 503 at the door; nothing done, nothing remembered.
        "down",
        # 500; nothing done. The idempotency key remembers the 500, as the real one does.
        "error_500",
        # Done, then 500, which the idempotency key remembers.
        "error_500_after_success",
    ]
    count: int = Field(default=1, ge=1)
    order_id: str | None = None


class Faults:
    """The list of what is to go wrong."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Adds one; earlier ones are taken first."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Everything works again."""
        self._waiting.clear()

    def take(self, operation: Operation, order_id: str) -> str:
        """The kind of fault for this call, or an empty text."""
        for index, fault in enumerate(self._waiting):
            if fault.operation == operation and fault.order_id in (None, order_id):
                if fault.count == 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = fault.model_copy(update={"count": fault.count - 1})
                return fault.kind
        return ""
