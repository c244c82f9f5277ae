"""One account of the provider: what every call to it goes through, and the calls."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from simulators.payment_provider import forms
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.checkout import Checkout
from simulators.payment_provider.disputes import Disputes
from simulators.payment_provider.errors import ProviderError, broken, declined, invalid
from simulators.payment_provider.faults import Faults, Operation
from simulators.payment_provider.intents import Intents
from simulators.payment_provider.means import Means
from simulators.payment_provider.news import Clock, public
from simulators.payment_provider.profiles import Profile
from simulators.payment_provider.readers import Readers
from simulators.payment_provider.refunds import Refunds
from simulators.payment_provider.webhooks import Webhooks

# A request that is never answered is let go after this; clients give up long before.
_SILENCE_SECONDS = 60
# A fault of kind "decline" pays with this.
_DECLINING = "pm_card_visa_chargeDeclined"


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls with which key, and where its events go. An empty `events_url` sends none."""

    profile: Profile
    state_file: str
    api_key: str
    webhook_secret: str
    events_url: str = ""


class Desk:
    """The key, ordered faults, idempotency, one transaction for each call."""

    def __init__(self, account: Account, clock: Clock, faults: Faults) -> None:
        self.account = account
        self.books = Books(account.state_file)
        self.webhooks = Webhooks(self.books, account.events_url, account.webhook_secret)
        rules = (self.books, account.profile, clock)
        self.intents = Intents(*rules)
        self.means = Means(*rules)
        self.refunds = Refunds(*rules)
        self.disputes = Disputes(self.books, clock)
        self.checkout = Checkout(*rules, self.intents, self.means)
        self.readers = Readers(self.books, account.profile, self.intents)
        self._clock = clock
        self._faults = faults

    async def change(
        self, request: Request, operation: Operation, act: Callable[[Body], Body], subject_id: str = ""
    ) -> Response:
        """A POST: the same idempotency key and content give the same answer; other content is an error."""
        params = await _form(request)
        fault = self._faults.take(operation, self._order_of(subject_id, params))
        if fault == "down":
            raise broken(503)
        if fault == "timeout_before":
            return await _never_answer(request)
        key = request.headers.get("Idempotency-Key", "")
        fingerprint = hashlib.sha256(json.dumps([request.url.path, params], sort_keys=True).encode()).hexdigest()
        known = self.books.answer(key) if key else None
        if known is not None:
            status, body = self._replay(known, fingerprint)
        else:
            status, body = self._execute(operation, act, params, subject_id, fault, key, fingerprint)
            self.webhooks.ring()
        if fault == "timeout_after_success":
            return await _never_answer(request)
        headers = {"Idempotent-Replayed": "true"} if known is not None else {}
        return JSONResponse(body, status, headers)

    async def read(
        self, request: Request, look: Callable[[Body], Body | list[Body]], subject_id: str = ""
    ) -> Response:
        """A GET."""
        query = forms.decode(request.query_params.multi_items())
        fault = self._faults.take("retrieve", self._order_of(subject_id, {}))
        if fault in ("timeout_before", "timeout_after_success"):
            return await _never_answer(request)
        if fault == "down":
            raise broken(503)
        if fault:
            raise broken()
        with self.books.transaction():
            found = look(query)
        if isinstance(found, list):
            page = _page(found, query, request.url.path)
            return JSONResponse(page | {"data": [self.shown(row, query) for row in page["data"]]})
        return JSONResponse(self.shown(found, query))

    def act(self, change: Callable[[], Body]) -> Body:
        """Something that happens there without a call of the shop: a customer, a bank, time."""
        with self.books.transaction():
            changed = change()
        self.webhooks.ring()
        return changed

    def end_what_is_due(self) -> None:
        """Authorisations and pages whose time is over."""
        for thing_id in self.books.due(self._clock()):
            find = self.intents.find if thing_id.startswith("pi_") else self.checkout.find
            self.act(partial(find, thing_id))

    def shown(self, thing: Body, params: Body) -> Body:
        """As a client sees it, with the charge or the intent inside if it asks so."""
        shown = public(thing)
        wants = {one.removeprefix("data.") for one in forms.values(params.get("expand"))}
        if thing["object"] == "payment_intent" and "latest_charge" in wants:
            shown["latest_charge"] = self.intents.charge(thing)
        if thing["object"] == "checkout.session" and thing["payment_intent"] and "payment_intent" in wants:
            deeper = [one.removeprefix("payment_intent.") for one in wants]
            intent = self.intents.find(thing["payment_intent"])
            shown["payment_intent"] = self.shown(intent, {"expand": dict(enumerate(deeper))})
        return shown

    def _execute(
        self,
        operation: Operation,
        act: Callable[[Body], Body],
        params: Body,
        subject_id: str,
        fault: str,
        key: str,
        fingerprint: str,
    ) -> tuple[int, Body]:
        with self.books.transaction():
            try:
                if fault == "error_500":
                    raise broken(saved=True)
                if fault == "decline":
                    params = self._make_decline(operation, params, subject_id)
                status, body = 200, self.shown(act(params), params)
                if fault == "error_500_after_success":
                    status, body = 500, broken().body
            except ProviderError as error:
                if not error.saved:
                    raise
                status, body = error.status, _public_error(error.body)
            if key:
                self.books.remember(key, fingerprint, status, body)
        return status, body

    def _make_decline(self, operation: Operation, params: Body, subject_id: str) -> Body:
        if operation in ("create", "confirm", "setup"):
            return {**params, "payment_method": _DECLINING}
        if operation in ("capture", "increment"):
            raise declined("card_declined", "generic_decline", self.intents.find(subject_id))
        raise invalid(f"The {operation} was refused.", code=f"{operation}_refused")

    def _replay(self, known: tuple[str, int, Body], fingerprint: str) -> tuple[int, Body]:
        if known[0] != fingerprint:
            raise ProviderError(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the parameters they were first used with.",
            )
        return known[1], known[2]

    def _order_of(self, subject_id: str, params: Body) -> str:
        known = self.books.intent(subject_id or str(params.get("payment_intent", "")))
        if known is None and subject_id:
            known = self.books.thing("checkout.session", subject_id)
        metadata = known["metadata"] if known else forms.text_map(params.get("metadata"))
        return str(metadata.get("order_id", ""))


async def _form(request: Request) -> Body:
    try:
        return forms.decode(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    except ValueError as error:
        raise invalid(f"Malformed body: {error}") from error


async def _never_answer(request: Request) -> Response:
    for _ in range(_SILENCE_SECONDS * 20):
        if await request.is_disconnected():
            break
        await asyncio.sleep(0.05)
    return Response(status_code=504)


def _page(rows: list[Body], query: Body, url: str) -> Body:
    limit = min(int(query.get("limit", "10")), 100)
    if after := query.get("starting_after"):
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(after) + 1 :] if after in ids else []
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": rows[:limit]}


def _public_error(body: dict[str, Any]) -> Body:
    error = dict(body["error"])
    for name in ("payment_intent", "setup_intent"):
        if intent := error.get(name):
            error[name] = public(intent)
    return {"error": error}
