"""Which box a packer takes: the smallest that holds all units of a work, as planning judges boxes (SPEC STO-5)."""

from collections.abc import Iterable, Mapping, Sequence

from services.promise.domain.network import Box, Item


def of_point(boxes: Iterable[Box], point_id: str) -> list[Box]:
    """Those that a point has, the smallest first."""
    own = (box for box in boxes if not box.point_ids or point_id in box.point_ids)
    return sorted(own, key=lambda box: (box.outer_cubic_millimetres, box.tare_grams, box.box_id))


def smallest(boxes: Sequence[Box], items: Mapping[str, Item], wanted: Mapping[str, int]) -> Box | None:
    """The first that holds all units together; None when none does, or when a side or a weight is not known."""
    units = [(items.get(sku), quantity) for sku, quantity in wanted.items() if quantity]
    known = [(item, quantity) for item, quantity in units if item and item.weight_grams and all(item.sides)]
    if not known or len(known) < len(units):
        return None
    grams = sum(item.weight_grams * quantity for item, quantity in known)
    volume = sum(item.volume_cubic_millimetres * quantity for item, quantity in known)
    for box in boxes:
        is_enough = grams + box.tare_grams <= box.max_weight_grams and volume <= box.usable_cubic_millimetres
        if is_enough and all(box.has_room_for(item) for item, _ in known):
            return box
    return None
