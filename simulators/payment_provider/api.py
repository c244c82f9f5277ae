"""The provider's API over HTTP: one route for each call that its clients make."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from simulators.payment_provider import settlements
from simulators.payment_provider.books import NO_END, Body
from simulators.payment_provider.desk import Desk

DeskOf = Callable[[Request], Desk]


def routes(desk_of: DeskOf) -> APIRouter:
    """All of them; `desk_of` finds the account of the request's key, or refuses."""
    router = APIRouter(prefix="/v1")
    _add_intents(router, desk_of)
    _add_refunds_and_disputes(router, desk_of)
    _add_settlements(router, desk_of)
    _add_means(router, desk_of)
    _add_pages(router, desk_of)
    _add_readers(router, desk_of)
    return router


def _add_intents(router: APIRouter, desk_of: DeskOf) -> None:
    @router.post("/payment_intents")
    async def create(request: Request) -> Response:
        desk, base = desk_of(request), str(request.base_url)
        return await desk.change(request, "create", lambda params: desk.intents.create(params, base))

    @router.get("/payment_intents")
    async def list_intents(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda query: desk.books.intents(*_created(query)))

    @router.get("/payment_intents/{intent_id}")
    async def retrieve(request: Request, intent_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.intents.find(intent_id), intent_id)

    @router.post("/payment_intents/{intent_id}/confirm")
    async def confirm(request: Request, intent_id: str) -> Response:
        desk, base = desk_of(request), str(request.base_url)
        return await desk.change(
            request, "confirm", lambda params: desk.intents.confirm(intent_id, params, base), intent_id
        )

    @router.post("/payment_intents/{intent_id}/increment_authorization")
    async def increment(request: Request, intent_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(
            request, "increment", lambda params: desk.intents.increment(intent_id, params), intent_id
        )

    @router.post("/payment_intents/{intent_id}/capture")
    async def capture(request: Request, intent_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(
            request, "capture", lambda params: desk.intents.capture(intent_id, params), intent_id
        )

    @router.post("/payment_intents/{intent_id}/cancel")
    async def cancel(request: Request, intent_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(
            request,
            "cancel",
            lambda params: desk.intents.cancel(intent_id, params.get("cancellation_reason")),
            intent_id,
        )


def _add_refunds_and_disputes(router: APIRouter, desk_of: DeskOf) -> None:
    @router.post("/refunds")
    async def refund(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "refund", desk.refunds.create)

    @router.get("/refunds")
    async def list_refunds(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda query: desk.books.refunds(str(query.get("payment_intent", ""))))

    @router.get("/refunds/{refund_id}")
    async def retrieve_refund(request: Request, refund_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.refunds.find(refund_id))

    @router.get("/disputes/{dispute_id}")
    async def retrieve_dispute(request: Request, dispute_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.disputes.find(dispute_id))


def _add_settlements(router: APIRouter, desk_of: DeskOf) -> None:
    @router.get("/settlements/{day}")
    async def settlement(request: Request, day: str) -> Response:
        desk = desk_of(request)
        with desk.books.transaction():
            return Response(settlements.file_of(desk.books, day), media_type="text/csv")


def _add_means(router: APIRouter, desk_of: DeskOf) -> None:
    @router.post("/customers")
    async def create_customer(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "customer", desk.means.create_customer)

    @router.post("/payment_methods/{method_id}/detach")
    async def detach(request: Request, method_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "customer", lambda _params: desk.means.detach(method_id))

    @router.post("/setup_intents")
    async def set_up(request: Request) -> Response:
        desk, base = desk_of(request), str(request.base_url)
        return await desk.change(request, "setup", lambda params: desk.means.set_up(params, base))

    @router.get("/setup_intents")
    async def list_setups(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda query: desk.books.things("setup_intent", *_created(query)))

    @router.get("/setup_intents/{setup_id}")
    async def retrieve_setup(request: Request, setup_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.means.find_setup(setup_id))

    @router.post("/setup_intents/{setup_id}/cancel")
    async def cancel_setup(request: Request, setup_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "cancel", lambda _params: desk.means.cancel_setup(setup_id))


def _add_pages(router: APIRouter, desk_of: DeskOf) -> None:
    @router.post("/checkout/sessions")
    async def open_page(request: Request) -> Response:
        desk, base = desk_of(request), str(request.base_url)
        return await desk.change(request, "checkout", lambda params: desk.checkout.create(params, base))

    @router.get("/checkout/sessions")
    async def list_pages(request: Request) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda query: desk.books.things("checkout.session", *_created(query)))

    @router.get("/checkout/sessions/{session_id}")
    async def retrieve_page(request: Request, session_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.checkout.find(session_id), session_id)

    @router.post("/checkout/sessions/{session_id}/expire")
    async def expire_page(request: Request, session_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "expire", lambda _params: desk.checkout.expire(session_id), session_id)


def _add_readers(router: APIRouter, desk_of: DeskOf) -> None:
    @router.get("/terminal/readers/{reader_id}")
    async def retrieve_reader(request: Request, reader_id: str) -> Response:
        desk = desk_of(request)
        return await desk.read(request, lambda _query: desk.readers.find(reader_id))

    @router.post("/terminal/readers/{reader_id}/process_payment_intent")
    async def process(request: Request, reader_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "reader", lambda params: desk.readers.process(reader_id, params))

    @router.post("/terminal/readers/{reader_id}/cancel_action")
    async def cancel_action(request: Request, reader_id: str) -> Response:
        desk = desk_of(request)
        return await desk.change(request, "reader", lambda _params: desk.readers.cancel(reader_id))


def _created(query: Body) -> tuple[int, int]:
    created = query.get("created")
    asked = created if isinstance(created, dict) else {}
    return int(asked.get("gte", "0")), int(asked.get("lte", str(NO_END)))
