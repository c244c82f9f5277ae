"""What a point took while its stock is held elsewhere: its units are moved to it, and then it has the work.

Owns the order of these two calls, and their ids: whoever repeats them, or a story that finds them unfinished, does
them under the same ones. Decides nothing.
"""

from kit import failpoints
from kit.errors import FailedPrecondition, NotFound
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import offers_service_pb2 as offers
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.clients import Clients


async def settle(clients: Clients, claim: orders.Claim) -> orders.Fulfilment:
    """The work, which is the point's now. FailedPrecondition / STOCK_NOT_THERE, OFFER_GONE (it was cancelled)."""
    failpoints.reach("settle_claim.claimed")
    held = await _move(clients, claim)
    failpoints.reach("settle_claim.moved")
    request = offers.SettleClaimRequest(
        request_id=f"settle/{claim.claim_id}/{'held' if held else 'not-there'}",
        fulfilment_id=claim.fulfilment_id,
        claim_id=claim.claim_id,
        held=held,
    )
    answer = await clients.act(clients.offers.SettleClaim, request)
    failpoints.reach("settle_claim.settled")
    if answer.state == offers.OFFER_STATE_REFUSED:
        raise FailedPrecondition(
            "STOCK_NOT_THERE", "the units cannot be held at the point: it does not have the work"
        )
    if answer.state != offers.OFFER_STATE_ACCEPTED:
        raise FailedPrecondition("OFFER_GONE", "the offer is gone: the order was cancelled", state="withdrawn")
    return answer.fulfilment


async def _move(clients: Clients, claim: orders.Claim) -> bool:
    request = inventory.MoveReservationRequest(
        request_id=f"move/{claim.claim_id}",
        reservation_id=claim.order_id,
        moves=[
            inventory.HoldMove(
                sku=line.sku,
                from_point_id=claim.from_point_id,
                to_point_id=claim.to_point_id,
                quantity=line.quantity,
            )
            for line in claim.lines
        ],
    )
    try:
        return (await clients.act(clients.inventory.MoveReservation, request)).moved
    except (FailedPrecondition, NotFound):
        # Nothing is held any more (a cancellation was faster), or not of the same parts.
        return False
