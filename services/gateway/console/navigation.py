"""What the console's menu holds, as data: a page of a role is one entry here, one in `access`, one route."""

from dataclasses import dataclass

from services.gateway.access import ACCESS
from services.gateway.auth import Caller


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu."""

    label: str
    path: str
    about: str


ENTRIES = (
    Entry(
        "Store", "/console/store", "The work of your store: offers, picking, packing, hand-over. Made for a phone."
    ),
    Entry(
        "Service",
        "/console/service",
        "Orders that do not go on or are late, the customer behind them, and what can be done.",
    ),
    Entry("Orders", "/console/orders", "Every order with its state, its parcels and its timeline."),
    Entry(
        "Dashboard",
        "/console/dashboard",
        "Orders by stage, answers of stores, short picks, promises kept, and how long orders take.",
    ),
    Entry("Finance", "/console/finance", "Money by day and channel, operations, and differences with providers."),
)


def menu_of(caller: Caller) -> list[Entry]:
    """The entries that the caller may open."""
    return [entry for entry in ENTRIES if caller.roles & ACCESS["GET", entry.path]]
