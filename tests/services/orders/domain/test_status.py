"""The status is that of the least advanced unit that is not cancelled, with "partially" when others are ahead."""

from dataclasses import replace

import pytest

from services.orders.domain.model import Order
from services.orders.domain.ranges import LineRange
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status, fine_status
from tests.services.orders.builders import leg, line, recorded, released

U = UnitState


def order(*units: UnitState, state: OrderState = OrderState.RELEASED) -> Order:
    ranges = tuple(LineRange(i + 1, 0, 2, unit, "") for i, unit in enumerate(units))
    return replace(recorded(), state=state, ranges=ranges)


@pytest.mark.parametrize(
    ("units", "status"),
    [
        ([U.ALLOCATED, U.PACKED], "validated"),
        ([U.ALLOCATED, U.SHIPPED], "partially shipped"),
        ([U.ALLOCATED, U.DELIVERED], "partially shipped"),
        ([U.SHIPPED, U.SHIPPED], "shipped"),
        ([U.SHIPPED, U.DELIVERED], "partially delivered"),
        ([U.DELIVERED, U.DELIVERED], "delivered"),
        ([U.SHIPPED, U.CANCELLED], "shipped"),
        ([U.DELIVERED, U.CANCELLED], "delivered"),
        ([U.CANCELLED, U.CANCELLED], "cancelled"),
        ([U.UNPLACED, U.SHIPPED], "partially shipped"),
    ],
)
def test_the_customer_sees_the_least_advanced_line(units: list[UnitState], status: str) -> None:
    assert customer_status(order(*units)) == status


@pytest.mark.parametrize(
    ("state", "customer", "fine"),
    [
        (OrderState.RECORDED, "received", "waiting"),
        (OrderState.ACTION_REQUIRED, "action required", "waiting for payment"),
        (OrderState.REFUSED, "refused", "refused"),
        (OrderState.VALIDATED, "validated", "waiting"),
        (OrderState.CANCELLING, "cancelled", "cancelling"),
        (OrderState.CANCELLED, "cancelled", "cancelled"),
    ],
)
def test_before_the_work_the_order_speaks_for_its_units(state: OrderState, customer: str, fine: str) -> None:
    one = order(U.RECORDED, state=state)
    assert (customer_status(one), fine_status(one)) == (customer, fine)


def test_the_inside_sees_the_preparation() -> None:
    one = released(leg((1, 2)), leg((2, 2)), lines=(line(1), line(2)))
    assert fine_status(one) == "to prepare"
    first, second = one.fulfilments
    picking = replace(one, fulfilments=(replace(first, state=FulfilmentState.ACCEPTED), second))
    assert fine_status(picking) == "in preparation"
    packed = replace(one, ranges=tuple(replace(units, state=U.PACKED) for units in one.ranges))
    assert fine_status(packed) == "prepared"
    refused = replace(
        one, fulfilments=tuple(replace(work, state=FulfilmentState.REFUSED) for work in one.fulfilments)
    )
    assert fine_status(refused) == "waiting"
