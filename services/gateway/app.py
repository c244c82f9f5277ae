"""Puts the parts together: routes, console, problems, description. Owns no behaviour of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from kit import telemetry
from kit.temporal import TASK_QUEUE
from services.gateway import openapi, problems
from services.gateway.auth import TokenVerifier
from services.gateway.clients import Clients
from services.gateway.console.customer.pages import customer_pages
from services.gateway.console.dashboard import dashboard_pages
from services.gateway.console.desk.pages import desk_pages
from services.gateway.console.documents import document_pages
from services.gateway.console.finance import finance_pages
from services.gateway.console.pages import console_router
from services.gateway.console.paying import paying_router
from services.gateway.console.store.arrivals import arrival_pages
from services.gateway.console.store.collecting import collecting_pages
from services.gateway.console.store.manifests import manifest_pages
from services.gateway.console.store.pages import store_pages
from services.gateway.console.store.picking import picking_pages
from services.gateway.console.store.shelf import shelf_pages
from services.gateway.readiness import Readiness
from services.gateway.routes import finance, imports, simulations
from services.gateway.routes.baskets import baskets_router
from services.gateway.routes.booking import booking_router
from services.gateway.routes.bulk import bulk_router
from services.gateway.routes.capacity import capacity_router
from services.gateway.routes.changes import changes_router
from services.gateway.routes.checks import checks_router
from services.gateway.routes.collections import collections_router
from services.gateway.routes.consolidation import consolidation_router
from services.gateway.routes.customer_links import customer_links_router
from services.gateway.routes.decisions import decisions_router
from services.gateway.routes.desk import desk_router
from services.gateway.routes.documents import documents_router
from services.gateway.routes.erasure import erasure_router
from services.gateway.routes.figures import figures_router
from services.gateway.routes.handovers import handovers_router
from services.gateway.routes.health import health_router
from services.gateway.routes.holds import holds_router
from services.gateway.routes.images import images_router
from services.gateway.routes.life_cycles import life_cycles_router
from services.gateway.routes.lockers import lockers_router
from services.gateway.routes.manifests import manifests_router
from services.gateway.routes.merchandising import merchandising_router
from services.gateway.routes.network import network_router
from services.gateway.routes.notifications import notifications_router
from services.gateway.routes.offers import offers_router
from services.gateway.routes.orders import orders_router
from services.gateway.routes.pauses import pauses_router
from services.gateway.routes.payment_tasks import payment_tasks_router
from services.gateway.routes.payments import payments_router
from services.gateway.routes.picking import picking_router
from services.gateway.routes.promises import promises_router
from services.gateway.routes.refunds import refunds_router
from services.gateway.routes.reviews import reviews_router
from services.gateway.routes.rulesets import rulesets_router
from services.gateway.routes.shelf import shelf_router
from services.gateway.routes.stored_value import stored_value_router
from services.gateway.routes.supply import supply_router
from services.gateway.routes.tracking import tracking_router
from services.gateway.routes.transfers import lanes_router, transfers_router
from services.gateway.routes.trials import trials_router
from services.gateway.routes.webhooks import webhooks_router
from services.gateway.routes.work import carriers_router, work_router

_TAGS = (
    ("orders", "Place orders and follow them."),
    (
        "decisions",
        "Why orders ship from where they do: what was seen, dropped and chosen, at what cost.",
    ),
    ("promises", "What a channel may show: stock, and how and when it can be delivered."),
    ("baskets", "Units that a customer has laid aside for some minutes, and that an order takes over."),
    ("channel images", "What each channel may show, kept ready, and the feed of its changes."),
    (
        "holds",
        "What keeps an order from going on: stop it, let it go, give it another date, refuse it.",
    ),
    (
        "customer service",
        "Orders that do not go on, customers over all channels, and what may be done about an order.",
    ),
    ("changes", "What becomes of an order that stands: fewer units, another address, other content."),
    ("trials", "Goods that are tried at home: what is kept and paid, and what comes back."),
    ("notifications", "What customers were told of their orders by mail and SMS, and what is to be sent again."),
    ("click and collect", "What customers collect at a store: put aside, handed over, kept, put back; no-shows."),
    ("lockers", "Compartments of lockers at stores, in which customers find what they collect."),
    ("life cycles", "How orders live: deadlines, holds, changes, labels and fraud rules, in versions."),
    ("store work", "Offers to points: accept or refuse, pick, pack, hand over."),
    ("pick lists", "Works that one person picks together, in walking order: who has which, and what was found."),
    ("manifests", "What carriers took from points, many parcels at a time."),
    (
        "consolidation",
        "Parcels that meet at a hub and leave as one shipment: what comes there, and what of it was there.",
    ),
    ("offers", "Work that points compete for: who may take it and until when, and what nobody took."),
    ("figures", "How much stands where, who answers how fast, what is kept of promises, and how long it takes."),
    ("hand-over", "Work of points that other systems do: which, how far it is, and where they are silent."),
    ("carrier events", "What carriers say of parcels."),
    ("parcels", "Parcels on their way: what carriers post, and what becomes of lost ones."),
    ("payments", "Authorisations, captures, voids and refunds, and events of providers."),
    ("refunds", "Money given back: by line, amount or whole, and orders whose money could not be captured."),
    ("documents", "Invoices, credit notes and sales receipts, numbered without a hole."),
    (
        "finance",
        "Operations as files, totals by day, providers' settlement files and where they differ from our books.",
    ),
    (
        "stored value",
        "Gift cards, credit notes and loyalty vouchers: what they are worth, and what happened to them.",
    ),
    ("webhooks", "Signed events to your systems, their log and their replay."),
    ("network", "Items, points, channels, carriers and physical stock."),
    ("lanes", "Regular ways between points: when they leave and arrive, and what they cost."),
    ("transfers", "Units that move from one point to another."),
    ("pauses", "Points, items and channels that sell nothing for a while."),
    ("shelf", "What a shop says of its stock: declared units, till sales, ended days, receipts and counts."),
    ("stock to come", "Expected deliveries, what channels may promise of them, and pre-orders."),
    ("merchandising", "Assortment, plans, markdowns and sales rates of articles at points; cover and find rates."),
    ("stock imports", "Files of stock, snapshots and deltas, worked as jobs with a result for each record."),
    (
        "rulesets",
        "What plans are judged by: drafts, versions that judge from an instant on, and who changed what.",
    ),
    ("capacity", "How many orders points start a day, how many parcels carriers take, and what is left of it."),
    ("appointments", "Delivery slots of carriers, the places that are left in them, and who has booked one."),
    ("simulations", "Another ruleset over past orders, beside the one in force: cost, splits, promises, load."),
    ("checks", "Whether stock, orders, money, workflows and events agree with each other."),
    ("health", "Whether it works."),
)


_ROUTERS = (
    orders_router,
    decisions_router,
    promises_router,
    baskets_router,
    images_router,
    work_router,
    picking_router,
    manifests_router,
    consolidation_router,
    offers_router,
    figures_router,
    carriers_router,
    tracking_router,
    lockers_router,
    handovers_router,
    payments_router,
    payment_tasks_router,
    holds_router,
    reviews_router,
    desk_router,
    erasure_router,
    bulk_router,
    life_cycles_router,
    changes_router,
    trials_router,
    notifications_router,
    collections_router,
    customer_links_router,
    refunds_router,
    documents_router,
    finance.finance_router,
    stored_value_router,
    webhooks_router,
    network_router,
    lanes_router,
    transfers_router,
    pauses_router,
    shelf_router,
    supply_router,
    merchandising_router,
    rulesets_router,
    capacity_router,
    booking_router,
    imports.imports_router,
    simulations.simulations_router,
    checks_router,
    health_router,
    console_router,
    desk_pages,
    paying_router,
    customer_pages,
    dashboard_pages,
    finance_pages,
    document_pages,
    store_pages,
    collecting_pages,
    picking_pages,
    shelf_pages,
    manifest_pages,
    arrival_pages,
)
# Bodies that are read as they come, without a bound.
_STREAMED = imports.STREAMED | simulations.STREAMED | finance.STREAMED


@dataclass(frozen=True)
class Options:
    """What may be set from outside."""

    placement_wait_seconds: float = 10.0
    # Channels keep their own cooling-off; a quote assumes this one unless it is told an instant.
    quote_cooling_off_seconds: int = 1800
    body_limit_bytes: int = 2 * 1024 * 1024
    task_queue: str = TASK_QUEUE


def create_app(clients: Clients, verifier: TokenVerifier, options: Options | None = None) -> FastAPI:
    """The gateway as an ASGI app. It closes `clients` and `verifier` when it ends."""
    options = options or Options()
    app = FastAPI(
        title="Order management",
        version="1",
        lifespan=_closing(clients, verifier),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": text} for name, text in _TAGS],
    )
    app.state.clients = clients
    app.state.verifier = verifier
    app.state.options = options
    app.state.readiness = Readiness(clients, options.task_queue)
    app.state.kept = {}
    for router in _ROUTERS:
        app.include_router(router)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(problems.LimitBody, limit_bytes=options.body_limit_bytes, streamed=_STREAMED)
    app.add_middleware(problems.AnswerDefects)
    if telemetry.is_exporting():
        _trace(app)
    return app


def _closing(clients: Clients, verifier: TokenVerifier) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await clients.close()
        await verifier.close()
        await asyncio.to_thread(telemetry.flush)

    return lifespan


def _trace(app: FastAPI) -> None:
    # Imported here: it is slow to load, and of no use to a process that exports nothing.
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(
        app, excluded_urls="healthz,readyz,pay/,track/", exclude_spans=["receive", "send"]
    )
