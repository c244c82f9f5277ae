"""Whether what customers want on their units can be: inventory knows what an article may have, and how long.

What it must have is judged by the plan, which knows each article: orders without texts ask for nothing here.
"""

from collections.abc import Sequence, Set

from kit.errors import InvalidArgument, NotFound
from kit.values.ids import derived_id
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.clients import Clients
from services.gateway.schemas.orders import OrderLine, OrderPlacement

_AT_ONCE = 500


async def check_placement(clients: Clients, body: OrderPlacement, key: str) -> None:
    """Raises InvalidArgument, naming the field, for what an article may not have; nothing is asked without any.

    What was recorded before under the key was right then: it is not judged again.
    """
    try:
        await _check(clients, body.lines)
    except InvalidArgument:
        if not await _is_recorded(clients, derived_id("ord", body.channel_id, key)):
            raise


async def check_change(clients: Clients, order: orders.Order, lines: Sequence[OrderLine]) -> None:
    """The same for other content: what stays as it was ordered was right then."""
    stays = {
        (line.line_number, line.sku, one.name, one.text)
        for line in order.content.lines
        for one in line.personalisations
    }
    await _check(clients, lines, stays)


async def _is_recorded(clients: Clients, order_id: str) -> bool:
    try:
        await clients.read(clients.orders.GetOrder, orders.GetOrderRequest(order_id=order_id))
    except NotFound:
        return False
    return True


async def _check(
    clients: Clients, lines: Sequence[OrderLine], stays: Set[tuple[int, str, str, str]] = frozenset()
) -> None:
    wishes = [
        (f"lines[{i}].personalisations[{j}]", line.sku, wanted)
        for i, line in enumerate(lines)
        for j, wanted in enumerate(line.personalisations)
        if (line.line_number, line.sku, wanted.name, wanted.text) not in stays
    ]
    skus = sorted({sku for _, sku, _ in wishes})
    known: dict[tuple[str, str], int] = {}
    for start in range(0, len(skus), _AT_ONCE):
        some = skus[start : start + _AT_ONCE]
        asked = inventory.ListItemsRequest(skus=some, page=types.PageRequest(size=len(some)))
        for item in (await clients.read(clients.inventory.ListItems, asked)).items:
            known |= {(item.sku, one.name): one.max_characters for one in item.personalisations}
    for path, sku, wanted in wishes:
        most = known.get((sku, wanted.name))
        if most is None:
            raise InvalidArgument(f"{path}.name", f"{sku} has no such field", reason="UNKNOWN_PERSONALISATION")
        if len(wanted.text) > most:
            raise InvalidArgument(
                f"{path}.text", f"at most {most} characters fit", reason="TEXT_TOO_LONG", max_characters=most
            )
