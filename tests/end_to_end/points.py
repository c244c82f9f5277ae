"""Every failpoint of every process that orders come to, as data."""

from collections.abc import Mapping, Sequence


def _of(*acts: str, commits: int = 1) -> list[str]:
    """The points of acts: before each of their commits, and before the answer."""
    points = ["before_commit", *(f"before_commit.{number}" for number in range(2, commits + 1)), "before_answer"]
    return [f"{act}.{point}" for act in acts for point in points]


def _around(*steps: str) -> list[str]:
    return [f"{step}.{when}" for step in steps for when in ("before", "after")]


POINTS: Mapping[str, Sequence[str]] = {
    "gateway": ["place_order.recorded", "place_order.before_answer"],
    "orders": _of(
        "RecordOrder", "RefuseOrder", "RequirePaymentAction", "AcceptOrder", "ReleaseOrder", "RerouteUnits",
        "RequestCancellation", "CompleteCancellation", "CloseOrder", "OfferFulfilment", "AcceptOffer",
        "RefuseOffer", "RecordPick", "CloseParcel", "RecordCapture", "HandOver", "RecordCarrierEvent",
        "PullEvents",
    ),
    "inventory": [
        *_of("HoldBasket", "Reserve", "Confirm", "MoveReservation", "ReportShort", "Issue", "Release"),
        *_of("PullEvents"),
        "project_images.before_commit",
        "tell_images.before_commit",
    ],
    "promise": _of("PlanOrder", "ReleaseCapacity"),
    "payments": [
        # Each asks the provider between the intent and the outcome.
        *_of("Authorize", "Capture", "Void", "Unwind", commits=2),
        *(f"{act}.before_provider" for act in ("Authorize", "Capture", "Void", "Unwind")),
        "Unwind.before_commit.3",
        *_of("Refund", "PullEvents"),
        *_of("ReceiveProviderEvent", commits=2),
        "resolve_unknown.before_commit",
    ],
    "relay": [
        "signals.orders.before_commit",
        "signals.payments.before_commit",
        "webhooks.orders.before_commit",
        "webhooks.payments.before_commit",
        "webhooks.inventory.before_commit",
        "claim.before_commit",
        "deliver.before_commit",
    ],
    # Nothing is handed over unless a system is switched on: what happens then is in tests/services/handover.
    "handover": ["follow.before_commit", "claim.before_commit"],
    "worker": _around(
        "basket_holds", "plan_order", "reserve", "authorize", "confirm_hold", "require_payment_action",
        "accept_order", "refuse_order", "release_order", "offer_fulfilment", "capture", "record_capture",
        "issue_stock", "close_order", "report_short", "reroute_units", "move_hold", "release_hold", "void",
        "release_capacity", "refund", "unwind_payment", "complete_cancellation", "work_lines",
    ),
}  # fmt: skip

# Of the set-up of a shop or an endpoint, of sweeps that find something only after minutes or an outage, and of
# orders by appointment.
_ELSEWHERE = {
    "gateway": ("settle_claim",),
    "orders": (
        "PublishLifeCycle",
        "PutSalesChannels",
        "LapseOffer",
        "watch_promises",
        "RetryCapture",
        "GiveUpParcel",
        "ReceiveCarrierEvents",
        "DeclareParcelLost",
        "DecideLostParcel",
        "ask_carriers",
        "ReceiveLockerEvents",
        "look_after_lockers",
        "RequestRefund",
        "RecordRefund",
        "RetryRefund",
        "PlaceHold",
        "ReleaseHold",
        "ExtendHold",
        "RefuseHold",
        "RecordSupply",
        "lapse_holds",
        "RequestAppointmentMove",
        "RecordAppointmentMove",
        "RecordMissedAppointment",
        # Of work that points compete for: test_offers.py.
        "OfferRing",
        "LookAtOffers",
        "EndOffering",
        "SettleClaim",
        "AssignWork",
        # Of an order with something on its units: test_personalisation.py.
        "BeginPersonalisation",
        "CompletePersonalisation",
        "ReportSpoiled",
        "CancelLines",
        "ChangeAddress",
        "ProposeChange",
        "ApplyChange",
        "RefuseChange",
        "SettleChange",
        "send_notifications",
        "ResendNotification",
        # Of parcels that meet at a hub: test_consolidation.py.
        "ReceiveParcel",
        "DecideTrial",
        "GiveUnitsBack",
        "MarkReady",
        "BookCompartment",
        "TakeOut",
        "Collect",
        # Only a wrong code is written down.
        "FindByCode",
        "UnlockCollection",
        "ExtendCollection",
        "ConfirmPutBack",
        "SetCollectionDates",
        "AskCustomer",
        "Choose",
        # Of many works at once: test_store_morning.py.
        "OpenPickList",
        "PutBackWork",
        "FinishPickList",
        "CloseManifest",
        # Of many orders at once: tests/services/orders/test_bulk.py.
        "StartBulkAction",
        "StopBulkAction",
        "act_in_bulk",
        # Done again it finds nothing more: tests/services/orders/test_erasing.py.
        "EraseCustomer",
        "erase_customers",
    ),
    "inventory": (
        "PutItems",
        "DeclareUnavailable",
        "PutStockPoints",
        "PutChannels",
        "AdjustStock",
        "expire_reservations",
        "forget_old_marks",
        "forget_uploads",
        "run_imports",
        "StartImport",
        "CancelImport",
        "PutLanes",
        "PutExpectedDeliveries",
        "ReceiveExpectedDelivery",
        "CancelExpectedDelivery",
        "ReserveFuture",
        "ReleaseFuture",
        "PutFutureRules",
        "PutPreorders",
        "PutPositionFacts",
        "FindTransferDifferences",
        "FindSupplyDifferences",
        "tell_turns",
        "close_ended_days",
        "tell_overdue",
        "RecordTillReturn",
    ),
    "promise": (
        "PutCarriers",
        "PutBoxes",
        "PutGeography",
        "PublishRuleset",
        "Quote",
        "PutLimits",
        "FindCapacityDifferences",
        "MoveRoom",
        "forget_quotes",
        "forget_capacity",
    ),
    "payments": (
        "resolve_unknown",
        "IssueStoredValue",
        "CheckStoredValue",
        "expire_stored_value",
        "FindDifferences",
        "ResolveTask",
        "ChangeAmount",
        "SaveMeans",
        "forget_means",
        "SendPaymentLink",
        "Settle",
        "reconcile",
        "sum_days",
        "forget_uploads",
        "StartSettlement",
        "ResolveSettlementDifference",
    ),
    "handover": ("PutSystems", "ReceiveMessages", "CloseAlert", "PullEvents", "advance"),
    "relay": (
        "CreateEndpoint",
        "DeleteEndpoint",
        "forget_deliveries",
        "signals.booking",
        "webhooks.booking",
        "signals.inventory",
    ),
    "worker": (
        "start_missing",
        "lapse_offer",
        "give_back",
        "look_at_refund",
        "record_refund",
        "confirm_booking",
        "release_booking",
        "move_booking",
        "look_at_booking",
        "record_appointment_move",
        "record_missed_appointment",
        "rank_points",
        "reserve_supply",
        "release_supply",
        "record_supply",
        "offer_ring",
        "look_at_offers",
        "end_offering",
        "settle_claim",
        "move_room",
        "declare_doubted",
        "read_proposal",
        "change_amount",
        "apply_change",
        "refuse_change",
        "settle_change",
        "waiting_hub",
        "settle_payment",
        "authorised_until",
        "restock",
        "closings",
        "set_collection_dates",
        "collection_options",
        "ask_customer",
        "read_choice",
    ),
}

# Acts that write once for each thing that is unfinished: how often they commit depends on who died before, and on
# how much was to be done.
_AS_OFTEN_AS_NEEDED = {"payments": ("Unwind",), "inventory": ("project_images",)}


def left_out(process: str, reached: set[str]) -> list[str]:
    """The points that were reached and that nobody has died at."""
    elsewhere = _ELSEWHERE.get(process, ())
    later_commits = tuple(f"{act}.before_commit." for act in _AS_OFTEN_AS_NEEDED.get(process, ()))
    unnamed = reached - set(POINTS[process])
    return sorted(
        point
        for point in unnamed
        if not any(point.startswith(f"{act}.") for act in elsewhere) and not point.startswith(later_commits)
    )
