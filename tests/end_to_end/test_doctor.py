"""The doctor finds a system at work healthy, and finds each fault that is planted in it."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from typer.testing import CliRunner

from cli.client import Api, Json, wait_for
from cli.doctor import DIFFERENT, HEALTHY, UNKNOWN, Examination, examine
from cli.main import app
from cli.people import Buyer, Office, Shop, Store
from kit import rpc, temporal
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.payments.v1 import payments_service_pb2 as payments
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from oms.promise.v1 import capacity_service_pb2 as capacity
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub
from tests.end_to_end.conftest import Delivered
from tests.end_to_end.journeys import carry, deliver, well_stocked
from tests.stack import SharedStack
from workflows.search_attributes import ORDER_ID

_LONG_COOLING_OFF = "web-fr"


def looked(api: Api) -> Examination:
    return examine(api, looks=2, pause_seconds=0.3)


def kinds(examination: Examination) -> set[str]:
    assert examination.unknown == {}
    return {one.kind for one in examination.differences}


@pytest.fixture(scope="module")
def waiting(stack: SharedStack, delivered: Delivered) -> str:
    """An order that stays where it is: in cooling-off, held, authorised, its workflow asleep."""
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, _LONG_COOLING_OFF)
        order_id: str = shop.place(shop.order_content([(well_stocked(shop), 2)], Buyer()))["id"]
        return order_id


@contextmanager
def tampered(stack: SharedStack, service: str, statement: str, undo: str, **values: Any) -> Iterator[None]:
    """Changes rows behind the service's back, and changes them back."""
    url = stack.database_url(service).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute(statement, values).rowcount > 0
        try:
            yield
        finally:
            connection.execute(undo, values)


def test_a_system_at_work_is_healthy(api: Api, shop: Shop, waiting: str, delivered: Delivered) -> None:
    sku = well_stocked(shop)
    placed = [shop.place(shop.order_content([(sku, 1)], Buyer()))["id"] for _ in range(2)]
    at_work = [threading.Thread(target=deliver, args=(api, order_id)) for order_id in placed]
    for thread in at_work:
        thread.start()
    while any(thread.is_alive() for thread in at_work):
        examination = examine(api, pause_seconds=1)
        assert (examination.differences, examination.unknown) == ([], {})
    assert min(examination.checked.values()) > 0, examination.checked
    assert examination.exit_code == HEALTHY


def test_a_balance_that_changed_without_a_movement_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    first = "(SELECT sku, point_id FROM balance ORDER BY sku, point_id LIMIT 1)"
    row = f"UPDATE balance SET on_hand = on_hand {{}} 1 WHERE (sku, point_id) IN {first}"
    with tampered(stack, "inventory", row.format("+"), row.format("-")):
        assert kinds(looked(api)) == {"BALANCE_NOT_LEDGER"}


def test_an_order_that_holds_too_much_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    row = "UPDATE reservation_line SET quantity = quantity {} 1 WHERE reservation_id = %(order_id)s"
    with tampered(stack, "inventory", row.format("+"), row.format("-"), order_id=waiting):
        examination = looked(api)
    assert kinds(examination) == {"RESERVED_NOT_HELD", "HOLD_DIFFERS"}
    [differs] = [one for one in examination.differences if one.kind == "HOLD_DIFFERS"]
    assert (differs.order_id, differs.expected, differs.found) == (waiting, "2", "3")


def test_a_hold_that_would_lapse_under_an_order_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    row = "UPDATE reservation SET state = '{}', expires_at = {} WHERE reservation_id = %(order_id)s"
    lapsing, confirmed = row.format("held", "now() + interval '1 day'"), row.format("confirmed", "NULL")
    with tampered(stack, "inventory", lapsing, confirmed, order_id=waiting):
        assert kinds(looked(api)) == {"HOLD_MAY_EXPIRE"}


def test_a_hold_of_an_order_that_nobody_knows_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    ghost = "ord_" + "0" * 32
    with (
        tampered(
            stack,
            "inventory",
            "INSERT INTO reservation VALUES (%(ghost)s, 'web-fr', 'confirmed', NULL)",
            "DELETE FROM reservation WHERE reservation_id = %(ghost)s",
            ghost=ghost,
        ),
    ):
        examination = looked(api)
    assert [(one.kind, one.order_id) for one in examination.differences] == [("HOLD_OF_UNKNOWN_ORDER", ghost)]


def test_what_an_ended_order_leaves_behind_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    row = "UPDATE orders SET state = '{}' WHERE order_id = %(order_id)s"
    with tampered(stack, "orders", row.format("cancelled"), row.format("validated"), order_id=waiting):
        examination = looked(api)
    assert kinds(examination) == {"HOLD_OF_ENDED_ORDER", "WORKFLOW_OF_ENDED_ORDER"}
    assert {one.order_id for one in examination.differences} == {waiting}


def test_room_that_is_taken_for_no_order_and_a_wrong_count_of_it_are_found(
    stack: SharedStack, api: Api, waiting: str
) -> None:
    ghost = "ord_" + "0" * 32
    row = "UPDATE capacity_taking SET order_id = '{}' WHERE order_id = '{}'"
    with tampered(stack, "promise", row.format(ghost, waiting), row.format(waiting, ghost)):
        examination = looked(api)
    assert [(one.kind, one.order_id) for one in examination.differences] == [("ROOM_OF_UNKNOWN_ORDER", ghost)]
    first = "(SELECT min(point_id) FROM capacity_count WHERE taken > 0 AND carrier_id = '')"
    row = f"UPDATE capacity_count SET taken = taken {{}} 1 WHERE point_id = {first} AND carrier_id = ''"
    with tampered(stack, "promise", row.format("+"), row.format("-")):
        assert kinds(looked(api)) == {"ROOM_NOT_COUNTED"}


def test_room_that_an_order_does_not_need_any_more_is_found(stack: SharedStack, api: Api, waiting: str) -> None:
    row = "UPDATE fulfilment SET state = '{}' WHERE order_id = %(order_id)s"
    with tampered(stack, "orders", row.format("cancelled"), row.format("planned"), order_id=waiting):
        examination = looked(api)
    assert "ROOM_NOT_NEEDED" in kinds(examination)


def test_an_open_order_without_a_workflow_is_found(
    stack: SharedStack, api: Api, waiting: str, delivered: Delivered
) -> None:
    row = "UPDATE orders SET state = '{}' WHERE order_id = %(order_id)s"
    values = {"order_id": delivered.order_id}
    with tampered(stack, "orders", row.format("released"), row.format("closed"), **values):
        examination = looked(api)
    [missing] = examination.differences
    assert (missing.kind, missing.order_id, missing.found) == ("WORKFLOW_MISSING", delivered.order_id, "COMPLETED")


def test_captured_money_that_the_provider_or_the_order_does_not_know_is_found(
    stack: SharedStack, api: Api, waiting: str, delivered: Delivered
) -> None:
    row = "UPDATE tender SET captured = captured {} 1 WHERE order_id = %(order_id)s"
    values = {"order_id": delivered.order_id}
    with tampered(stack, "payments", row.format("-"), row.format("+"), **values):
        examination = looked(api)
    found = {"TOTAL_NOT_LEDGER", "CAPTURED_NOT_AT_PROVIDER", "AUTHORISATION_ENDED", "CAPTURED_DIFFERS"}
    assert kinds(examination) == found
    assert {one.order_id for one in examination.differences} == {delivered.order_id}


def test_a_refund_of_an_order_that_payments_did_not_make_is_found(
    stack: SharedStack, api: Api, waiting: str, delivered: Delivered
) -> None:
    row = """INSERT INTO refund VALUES ('rfd_ghost', %(order_id)s, 99, 'goodwill', 'succeeded', 500, 'EUR', 0,
                                        '[]', '[]', 'gesture', '', 'anna', now(), 1, '', now())"""
    gone = "DELETE FROM refund WHERE refund_id = 'rfd_ghost' AND order_id = %(order_id)s"
    with tampered(stack, "orders", row, gone, order_id=delivered.order_id):
        examination = looked(api)
    [missing] = examination.differences
    assert (missing.kind, missing.expected, missing.found) == ("REFUNDED_DIFFERS", "at least 500", "0")


def test_money_kept_of_an_order_that_was_undone_is_found(
    stack: SharedStack, api: Api, waiting: str, delivered: Delivered
) -> None:
    row = "UPDATE orders SET state = '{}' WHERE order_id = %(order_id)s"
    values = {"order_id": delivered.order_id}
    with tampered(stack, "orders", row.format("cancelled"), row.format("closed"), **values):
        examination = looked(api)
    [kept] = examination.differences
    assert (kept.kind, kept.order_id, kept.expected) == ("MONEY_OF_UNDONE_ORDER", delivered.order_id, "0")


def test_a_parcel_that_was_cancelled_before_it_was_told_of_its_money_is_no_fault(
    stack: SharedStack, api: Api, shop: Shop, waiting: str
) -> None:
    order_id = shop.place(shop.order_content([(well_stocked(shop), 1)], Buyer()))["id"]
    shop.wait_status(order_id, "released")
    [work] = shop.order(order_id)["fulfilments"]
    store = Store(api, work["point_id"])
    store.accept(store.wait_offer(order_id))
    store.pick(work)
    store.pack(work)
    store.wait_captured(work)
    shop.cancel(order_id)
    shop.wait_status(order_id, "cancelled")
    row = "UPDATE parcel SET capture_state = '{}' WHERE fulfilment_id = %(work)s"
    with tampered(stack, "orders", row.format("pending"), row.format("captured"), work=work["id"]):
        assert looked(api).differences == []


@contextmanager
def captured_behind_our_back(stack: SharedStack, intent_id: str) -> Iterator[None]:
    """A capture that only the provider knows of, and its books as they were."""
    key = {"Authorization": f"Bearer {stack.stack.keys.provider_api_key}"}
    url = f"http://{stack.addresses['payment_provider']}/v1/payment_intents/{intent_id}/capture"
    with closing(sqlite3.connect(stack.state / "payment_provider.sqlite")) as books:
        [before] = books.execute("SELECT body FROM intent WHERE id = ?", (intent_id,)).fetchone()
        httpx.post(url, headers=key).raise_for_status()
        try:
            yield
        finally:
            books.execute("UPDATE intent SET body = ? WHERE id = ?", (before, intent_id))
            books.commit()


def test_money_taken_at_the_provider_behind_our_back_is_found(
    stack: SharedStack, api: Api, office: Office, waiting: str
) -> None:
    payment = office.payment(waiting)
    assert payment is not None
    with captured_behind_our_back(stack, payment["provider_payment_id"]):
        examination = looked(api)
    assert kinds(examination) == {"CAPTURED_NOT_AT_PROVIDER", "AUTHORISATION_ENDED"}
    [taken] = [one for one in examination.differences if one.kind == "CAPTURED_NOT_AT_PROVIDER"]
    assert (taken.order_id, taken.expected, taken.found) == (
        waiting,
        "0",
        str(payment["authorized"]["amount_minor"]),
    )


async def test_an_order_whose_workflow_was_ended_from_outside_is_found_and_can_be_put_right(
    stack: SharedStack, api: Api, waiting: str
) -> None:
    shop = Shop(api, _LONG_COOLING_OFF)
    order_id = shop.place(shop.order_content([(well_stocked(shop), 1)], Buyer()))["id"]
    client = await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)
    await client.get_workflow_handle(f"order/{order_id}").terminate("planted")
    [missing] = looked(api).differences
    assert (missing.kind, missing.order_id, missing.found) == ("WORKFLOW_MISSING", order_id, "TERMINATED")

    # Nothing drives it any more: an operator undoes it as its story would have done.
    shop.cancel(order_id)
    key = f"{order_id}/by-hand"
    async with (
        rpc.connect(stack.addresses["inventory"]) as stock,
        rpc.connect(stack.addresses["payments"]) as money,
        rpc.connect(stack.addresses["promise"]) as room,
        rpc.connect(stack.addresses["orders"]) as order,
    ):
        await InventoryServiceStub(stock).Release(
            inventory.ReleaseRequest(request_id=key, reservation_id=order_id, reason="by hand")
        )
        await CapacityServiceStub(room).ReleaseCapacity(capacity.ReleaseCapacityRequest(order_id=order_id))
        undone = await PaymentsServiceStub(money).Unwind(payments.UnwindRequest(request_id=key, order_id=order_id))
        assert undone.complete
        await OrdersServiceStub(order).CompleteCancellation(
            orders.CompleteCancellationRequest(request_id=key, order_id=order_id)
        )
    assert looked(api).differences == []


async def test_a_story_that_fails_in_its_own_code_is_found_with_its_order(
    stack: SharedStack, api: Api, waiting: str
) -> None:
    ghost = "ord_" + "1" * 32
    client = await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)
    # Input that its code cannot read: what a careless change of a message does to orders in flight.
    await client.start_workflow(
        "OrderWorkflow",
        "no order",
        id=f"order/{ghost}",
        task_queue=temporal.TASK_QUEUE,
        search_attributes=TypedSearchAttributes([SearchAttributePair(ORDER_ID, ghost)]),
    )
    try:

        def found() -> Json | None:
            failing = [one for one in looked(api).differences if one.kind == "STORY_FAILS"]
            return {"failing": failing} if failing else None

        [failing] = wait_for("the story that fails", found)["failing"]
    finally:
        await client.get_workflow_handle(f"order/{ghost}").terminate("planted")
    assert (failing.subject, failing.order_id) == (f"order/{ghost}", ghost)
    assert "RuntimeError in " in failing.found
    wait_for("a healthy system", lambda: None if looked(api).differences else {"healthy": True})


async def test_a_story_that_waits_for_a_person_is_told_and_so_is_the_hold_that_blocks_it(
    stack: SharedStack, api: Api, shop: Shop, waiting: str
) -> None:
    order_id = shop.place(shop.order_content([(well_stocked(shop), 1)], Buyer()))["id"]
    shop.wait_status(order_id, "released")
    [work] = shop.order(order_id)["fulfilments"]
    store = Store(api, work["point_id"])
    store.accept(store.wait_offer(order_id))
    store.pick(work)
    store.pack(work)
    store.wait_captured(work)
    story = f"fulfilment/{work['id']}"
    row = "UPDATE reservation_line SET point_id = %({})s WHERE reservation_id = %(order_id)s"
    values = {"order_id": order_id, "there": work["point_id"], "nowhere": "nowhere"}
    with tampered(stack, "inventory", row.format("nowhere"), row.format("there"), **values):
        work = store.hand_over(work)

        def told() -> Json | None:
            notes = looked(api).notes
            return {"notes": notes} if story in {note["subject"] for note in notes} else None

        wait_for("the note of a story that waits", told)
        examination = looked(api)
        assert kinds(examination) == {"HOLD_DIFFERS", "RESERVED_NOT_HELD"}
        [held] = [one for one in examination.differences if one.kind == "HOLD_DIFFERS"]
        assert (held.order_id, held.expected, held.found) == (order_id, "0", "1")
        assert held.subject.endswith("at nowhere")
    client = await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)
    await client.get_workflow_handle(story).signal("resume")
    carry(api, work)
    shop.wait_status(order_id, "closed")
    assert looked(api).differences == []


def test_webhooks_that_nobody_takes_are_found(
    api: Api, shop: Shop, waiting: str, unused_tcp_port_factory: Callable[[], int]
) -> None:
    nobody = {"url": f"http://127.0.0.1:{unused_tcp_port_factory()}/hooks"}
    endpoint = api.post("/v1/webhook-endpoints", "operator", nobody)["id"]
    try:
        shop.place(shop.order_content([(well_stocked(shop), 1)], Buyer()))

        def late() -> Json | None:
            found = examine(api, looks=2, pause_seconds=1, older_than_seconds=0).differences
            return {"found": one} if (one := [each for each in found if each.subject.endswith(endpoint)]) else None

        [difference] = wait_for("a webhook that is late", late)["found"]
        assert difference.kind == "EVENTS_BEHIND"
    finally:
        api.send("DELETE", f"/v1/webhook-endpoints/{endpoint}", "operator")


@pytest.mark.parametrize(
    ("part", "check", "reason"),
    [("relay", "events", "UNREACHABLE"), ("payment_provider", "payments", "PROVIDER_UNAVAILABLE")],
)
async def test_what_cannot_be_asked_is_not_called_healthy(
    stack: SharedStack, api: Api, waiting: str, part: str, check: str, reason: str
) -> None:
    await stack.hold(part)
    try:
        examination = looked(api)
        assert set(examination.unknown) == {check}
        assert f"503 {reason}" in examination.unknown[check]
        assert examination.exit_code == UNKNOWN
    finally:
        await stack.release(part)
        # Who asks it finds it again in its own time.
        wait_for("everything that can be asked", lambda: {} if looked(api).unknown else {"asked": True})


def test_the_command_prints_what_differs_and_says_so_with_its_exit_code(stack: SharedStack, waiting: str) -> None:
    runner = CliRunner()
    asked = ["doctor", "--state", str(stack.state)]
    healthy = runner.invoke(app, asked)
    assert healthy.exit_code == HEALTHY, healthy.output
    row = "UPDATE reservation_line SET quantity = quantity {} 1 WHERE reservation_id = %(order_id)s"
    with tampered(stack, "inventory", row.format("+"), row.format("-"), order_id=waiting):
        ill = runner.invoke(app, asked)
    assert ill.exit_code == DIFFERENT
    assert "HOLD_DIFFERS" in ill.output
    assert waiting in ill.output
