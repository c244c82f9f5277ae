"""What is not the provider's API: the customer's pages, and the doors for tests (`/_...`)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from simulators.payment_provider import pages
from simulators.payment_provider.books import Body
from simulators.payment_provider.desk import Desk
from simulators.payment_provider.disputes import Reason
from simulators.payment_provider.errors import invalid, missing
from simulators.payment_provider.faults import Fault, Faults
from simulators.payment_provider.news import Clock, public


class DisputeDoor(BaseModel):
    """A dispute of captured money; without an amount, of all of it."""

    payment_intent: str
    amount: int | None = Field(default=None, ge=1)
    reason: Reason = "fraudulent"


class DisputeMove(BaseModel):
    """What the bank does."""

    status: Literal["under_review", "won", "lost"]


class RefundEnd(BaseModel):
    """Without a reason it succeeds."""

    failure_reason: Literal["", "expired_or_canceled_card", "lost_or_stolen_card", "declined", "unknown"] = ""


class Card(BaseModel):
    """What the customer holds to the reader."""

    payment_method: str = "pm_card_visa"


class Forward(BaseModel):
    """How far time moves on."""

    seconds: int = Field(ge=0, le=400 * 86_400)


def customer_pages(desks: list[Desk]) -> APIRouter:
    """Strong authentication and paying, as the customer's browser sees them."""
    router = APIRouter()

    @router.get("/3ds/{intent_id}")
    async def ask(intent_id: str) -> HTMLResponse:
        intent = _intent_of(_holding(desks, intent_id), intent_id)
        waiting = intent["status"] == "requires_action"
        return HTMLResponse(pages.ask(intent) if waiting else pages.done(intent))

    @router.post("/3ds/{intent_id}/{choice}")
    async def authenticate(intent_id: str, choice: str) -> Response:
        if choice not in ("approve", "refuse"):
            raise invalid("approve or refuse", param="choice")
        desk = _holding(desks, intent_id)
        rules = desk.means if intent_id.startswith("seti_") else desk.intents

        def act() -> Body:
            intent = rules.authenticate(intent_id, choice == "approve")
            desk.checkout.settle(intent)
            return intent

        intent = desk.act(act)
        if back := intent.get("return_url"):
            name = intent["object"]
            return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{name}={intent_id}", 303)
        return HTMLResponse(pages.done(intent))

    @router.get("/pay/{session_id}")
    async def show(session_id: str) -> Response:
        desk = _holding(desks, session_id)
        return _shown(desk.act(lambda: desk.checkout.find(session_id)))

    @router.post("/pay/{session_id}")
    async def pay(session_id: str, payment_method: Annotated[str, Form(max_length=100)]) -> Response:
        desk, refusal = _holding(desks, session_id), ""

        def act() -> Body:
            nonlocal refusal
            session, refusal = desk.checkout.pay(session_id, payment_method)
            return session

        session = desk.act(act)
        if session["status"] == "open" and session["payment_intent"] and not refusal:
            intent = desk.intents.find(session["payment_intent"])
            if intent["status"] == "requires_action":
                return RedirectResponse(intent["next_action"]["redirect_to_url"]["url"], 303)
        return _shown(session, refusal)

    return router


def controls(desks: list[Desk], clock: Clock, faults: Faults) -> APIRouter:
    """What a test may order, and see."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.post("/_faults", status_code=201)
    async def order_fault(fault: Fault) -> Fault:
        faults.order(fault)
        return fault

    @router.delete("/_faults", status_code=204)
    async def clear_faults() -> None:
        faults.clear()

    @router.post("/_clock")
    async def forward(by: Forward) -> dict[str, int]:
        clock.forward(by.seconds)
        for desk in desks:
            desk.end_what_is_due()
        return {"now": clock()}

    @router.post("/_refunds/{refund_id}")
    async def conclude(refund_id: str, end: RefundEnd) -> JSONResponse:
        desk = _holding(desks, refund_id)
        return _told(desk, lambda: desk.refunds.conclude(refund_id, end.failure_reason))

    @router.post("/_disputes", status_code=201)
    async def dispute(door: DisputeDoor) -> JSONResponse:
        desk = _holding(desks, door.payment_intent)

        def act() -> Body:
            intent = desk.intents.find(door.payment_intent)
            return desk.disputes.open(intent, door.amount or intent["amount_received"], door.reason)

        return _told(desk, act)

    @router.post("/_disputes/{dispute_id}")
    async def move(dispute_id: str, door: DisputeMove) -> JSONResponse:
        desk = _holding(desks, dispute_id)
        return _told(desk, lambda: desk.disputes.move(dispute_id, door.status))

    @router.post("/_readers/{reader_id}")
    async def present(reader_id: str, card: Card) -> JSONResponse:
        desk = _holding(desks, reader_id)
        return _told(desk, lambda: desk.readers.present(reader_id, card.payment_method))

    @router.get("/_books")
    async def show_books() -> dict[str, Any]:
        return {"intents": [_sums(desk, intent) for desk in desks for intent in desk.books.intents()]}

    @router.get("/_events")
    async def show_events() -> dict[str, Any]:
        return {"events": [event for desk in desks for event in desk.books.events()]}

    return router


def _holding(desks: list[Desk], thing_id: str) -> Desk:
    """The account that has it: ids are random, and nobody but their account knows them."""
    for desk in desks:
        books = desk.books
        kinds = ("setup_intent", "checkout.session", "dispute", "terminal.reader")
        if books.intent(thing_id) or books.refund(thing_id) or any(books.thing(kind, thing_id) for kind in kinds):
            return desk
    raise missing("thing", thing_id[:40], "id")


def _intent_of(desk: Desk, intent_id: str) -> Body:
    return desk.means.find_setup(intent_id) if intent_id.startswith("seti_") else desk.intents.find(intent_id)


def _told(desk: Desk, change: Callable[[], Body]) -> JSONResponse:
    return JSONResponse(public(desk.act(change)))


def _shown(session: Body, refusal: str = "") -> Response:
    if session["status"] == "complete" and session["success_url"]:
        # Where the real one writes the page's id.
        url = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
        return RedirectResponse(url, 303)
    return HTMLResponse(pages.pay(session, refusal) if session["status"] == "open" else pages.over(session))


def _sums(desk: Desk, intent: Body) -> Body:
    return {
        "id": intent["id"],
        "account": desk.account.profile.name,
        "order_id": intent["metadata"].get("order_id", ""),
        "currency": intent["currency"],
        "status": intent["status"],
        "amount": intent["amount"],
        "authorised": intent.get("authorised", 0),
        "captured": intent["amount_received"],
        "capturable": intent["amount_capturable"],
        "refunded": desk.refunds.refunded(intent["id"]),
    }
