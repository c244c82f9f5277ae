"""A stand-in for the story of an order: it answers placement by the first line's SKU, and acts on nothing."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import Amount, Option, OrderInput, Placement, Refusal, RefusedLine

OUTCOMES = {
    "VALID": Placement(
        "validated",
        promise_start="2026-11-22T07:00:00+00:00",
        promise_end="2026-11-22T18:00:00+00:00",
        cooling_off_until="2026-11-20T12:30:00+00:00",
    ),
    "TAKEN": Placement("validated", receipt_number="STORE-LYON-SR-2026-000001"),
    "SOLD-OUT": Placement(
        "refused",
        refusal=Refusal("STOCK_UNAVAILABLE", "not enough stock", [RefusedLine(1, "SOLD-OUT", 2, 1, "NO_STOCK")]),
    ),
    "CHANGED": Placement(
        "refused",
        refusal=Refusal("PROMISE_CHANGED", "the promise that was shown cannot be kept"),
        options=[
            Option(
                "DELIVERY_MODE_HOME_EXPRESS",
                "2026-11-23T07:00:00+00:00",
                "2026-11-23T18:00:00+00:00",
                Amount(990, "EUR"),
                2,
            )
        ],
    ),
    "DECLINED": Placement("refused", refusal=Refusal("PAYMENT_DECLINED", "insufficient_funds")),
    "FAR": Placement(
        "refused",
        refusal=Refusal("NOT_DELIVERABLE", "no carrier", [RefusedLine(1, "FAR", 2, 0, "NO_CARRIER")]),
    ),
    "ACTION": Placement("action_required", next_action_url="https://pay.example/3ds/1"),
    "CANCELLED": Placement("cancelling"),
}


@workflow.defn(name="OrderWorkflow")
class StandInOrder:
    """Runs until its answer was given; the SKU "SLOW" never gets one, "GONE" ends before anyone can ask."""

    def __init__(self) -> None:
        self._sku = ""
        self._answered = False

    @workflow.run
    async def run(self, order: OrderInput) -> str:
        self._sku = order.lines[0].sku
        if self._sku != "GONE":
            await workflow.wait_condition(lambda: self._answered)
        return "CLOSED"

    @workflow.update
    async def placed(self) -> Placement:
        await workflow.wait_condition(lambda: self._sku in OUTCOMES)
        self._answered = True
        return OUTCOMES[self._sku]
