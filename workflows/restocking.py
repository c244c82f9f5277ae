"""Stories of units that are in the stock of a point again, whatever their order does: given back, or unpacked."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls, policies
    from workflows.attention import Story
    from workflows.messages import Hold, Line, PutBack, PutBackInput, Restock, RestockInput


def kept_by(order_id: str, fulfilment_id: str, line: Line) -> str:
    """The request by which units of a parcel that does not leave are kept from being sold."""
    return f"order/{order_id}/packed/{fulfilment_id}/{_name(line)}"


def _name(line: Line) -> str:
    """A line may stand twice: with the article itself, and with another instead of it."""
    return f"{line.line_number}/{line.sku}" if line.ordered_sku else str(line.line_number)


@workflow.defn(name="RestockWorkflow")
class RestockWorkflow(Story):
    """Puts them back, once."""

    @workflow.run
    async def run(self, back: RestockInput) -> None:
        """A step for each line, side by side: one that needs a person does not keep the others."""
        await asyncio.gather(*(self._put_back(back, line) for line in back.lines))

    async def _put_back(self, back: RestockInput, line: Line) -> None:
        request = Restock(
            request_id=f"{workflow.info().workflow_id}/{line.line_number}",
            order_id=back.order_id,
            units=Hold(line.sku, back.point_id, line.quantity),
            returned_at=back.returned_at,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(calls.restock, request)


@workflow.defn(name="PutBackWorkflow")
class PutBackWorkflow(Story):
    """Lets units of a parcel that was unpacked be sold again."""

    @workflow.run
    async def run(self, back: PutBackInput) -> None:
        """A step for each line, side by side."""
        await asyncio.gather(*(self._release(back, line) for line in back.lines))

    async def _release(self, back: PutBackInput, line: Line) -> None:
        """Somebody may be faster than the cancellation: it is looked again. Bundles are kept from nobody."""
        request = PutBack(
            request_id=f"{workflow.info().workflow_id}/{_name(line)}",
            declared_by=kept_by(back.order_id, back.fulfilment_id, line),
            order_id=back.order_id,
            point_id=back.point_id,
            line=line,
            as_of=workflow.now().isoformat(),
        )
        for _ in range(policies.PUT_BACK_LOOKS):
            if await self._insist_on(calls.release_packed, request):
                return
            await workflow.sleep(policies.PUT_BACK_LOOK)
