"""The story of units that a customer gave back at a point: they go to its stock, whatever their order does."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.attention import Story
    from workflows.messages import Hold, Line, Restock, RestockInput


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
