"""Click and collect on the full system: collected and paid at the counter; refused, and chosen by its customer."""

from typing import Any

from rich.console import Console

from cli.client import Api, Json, wait_for
from cli.demo import CollectedJourney, LockerJourney, SentToStoreJourney
from cli.people import Office, Store
from tests.stack import SharedStack


class _Refused(CollectedJourney):
    """The same order, where the store says no."""

    def to_the_money(self) -> None:
        self._place()
        self._shop.wait_status(self.order_id, "released")
        point = self._order()["fulfilments"][0]["point_id"]
        store = Store(self._api, point)
        store.refuse(store.wait_offer(self.order_id), "no_staff")
        path = f"/v1/orders/{self.order_id}"
        choice: Json = wait_for(
            "a question", lambda: next(iter(self._api.get(path, "customer_service")["choices"]), None)
        )
        assert (choice["reason"], choice["kind"], choice["point_id"]) == ("no_staff", "", point)
        assert point not in {one["point_id"] for one in choice["options"]}
        assert self._order()["customer_status"] == "choice required"
        self._api.post(f"{path}/collection-choice", "customer_service", {"kind": "refund"})
        self._shop.wait_status(self.order_id, "cancelled")
        self._check_undone()


def test_an_order_is_collected_at_the_counter_or_given_up_where_its_store_refuses(stack: SharedStack) -> None:
    quiet: Any = Console(quiet=True)
    with Api.of(stack.gateway_url, stack.state) as api:
        journey = CollectedJourney(api, quiet, "", 1)
        journey.to_the_counter()
        (work,) = api.get(f"/v1/orders/{journey.order_id}", "customer_service")["fulfilments"]
        assert (work["collected"], work["carrier_id"], work["collection"]["proof"]) == (True, "", "code")
        kinds = [one["kind"] for one in Office(api).timeline(journey.order_id)]
        assert kinds.count("fulfilment.collected") == 1
        _Refused(api, quiet, "", 1).to_the_money()


def test_what_a_store_lacks_is_sent_there_received_and_collected(stack: SharedStack) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        journey = SentToStoreJourney(api, Console(quiet=True), "", 1)
        journey.to_the_counter()
        works = api.get(f"/v1/orders/{journey.order_id}", "customer_service")["fulfilments"]
        (sent,), (collected,) = (
            [one for one in works if bool(one["joins"]) is is_sent] for is_sent in (True, False)
        )
        assert (sent["joins"], sent["status"]) == (collected["id"], "delivered")
        assert (collected["collected"], collected["status"]) == (True, "delivered")
        assert api.get("/v1/checks/stock", "operator")["differences"] == []


def test_what_lies_in_a_locker_is_paid_told_and_opened_with_its_code(stack: SharedStack) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        journey = LockerJourney(api, Console(quiet=True), "", 1, doors=f"http://{stack.addresses['locker']}")
        journey.to_the_counter()
        (work,) = api.get(f"/v1/orders/{journey.order_id}", "customer_service")["fulfilments"]
        assert (work["collected"], work["status"], work["locker"]["holds"]) == (True, "delivered", False)
        assert work["locker"]["compartment"]
