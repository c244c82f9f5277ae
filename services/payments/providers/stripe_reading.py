"""What Stripe's objects say, in our words. Pure: objects are dicts as its API writes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.payments.domain.model import State
from services.payments.domain.outcome import Outcome, failed
from services.payments.providers import (
    About,
    Authorisation,
    Dispute,
    DisputeStatus,
    ProviderEvent,
    RefundState,
    RefundStatus,
)
from services.payments.providers.stripe_calls import operation_of
from services.payments.providers.stripe_money import from_wire

# Of an intent or a page that holds nothing more.
ENDED = ("canceled", "succeeded")
# Marks an intent that a page made: there the customer may try again.
OF_PAGE = "page"

_REFUNDS = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED, "canceled": RefundStatus.FAILED}
_DISPUTES = {
    "needs_response": DisputeStatus.OPEN,
    "appeal_needs_response": DisputeStatus.OPEN,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    # Solved before it became a dispute.
    "prevented": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
}
_ANSWERABLE = (DisputeStatus.INQUIRY, DisputeStatus.OPEN)


def intent_outcome(intent: dict[str, Any], validity: timedelta) -> Outcome | None:
    """The answer to an authorisation; None while the provider has not decided."""
    of_page = OF_PAGE in (intent["metadata"] or {})
    match intent["status"]:
        case "requires_capture":
            return _authorised(intent, validity)
        case "succeeded" if intent["amount_received"] > 0:
            return _authorised(intent, validity)
        case "requires_action":
            return Outcome(State.ACTION_REQUIRED, intent["id"], next_action_url=_redirect(intent))
        case "requires_payment_method" if of_page:
            return None
        case "requires_payment_method" if error := intent.get("last_payment_error"):
            return failed(error.get("decline_code") or error.get("code") or "declined", intent["id"])
        case "requires_payment_method" if _in_person(intent):
            return Outcome(State.ACTION_REQUIRED, intent["id"])
        case "canceled":
            return failed("canceled", intent["id"])
        case _:
            return None


def authorisation(intent: dict[str, Any], validity: timedelta) -> Authorisation:
    """A payment."""
    charge = intent.get("latest_charge")
    currency = intent["currency"].upper()
    return Authorisation(
        provider_payment_id=intent["id"],
        operation_id=operation_of(intent),
        outcome=intent_outcome(intent, validity),
        ended=intent["status"] in ENDED,
        captured=from_wire(intent["amount_received"], currency),
        refunded=from_wire(charge["amount_refunded"] if isinstance(charge, dict) else 0, currency),
    )


def setup_outcome(setup: dict[str, Any]) -> Outcome | None:
    """The answer to saving a means; None while the provider has not decided."""
    match setup["status"]:
        case "succeeded":
            return Outcome(State.SUCCEEDED, setup["id"], saved_means=_saved_means(setup))
        case "requires_action":
            return Outcome(State.ACTION_REQUIRED, setup["id"], next_action_url=_redirect(setup))
        case "requires_payment_method" if error := setup.get("last_setup_error"):
            return failed(error.get("decline_code") or error.get("code") or "declined", setup["id"])
        case "canceled":
            return failed("canceled", setup["id"])
        case _:
            return None


def page_outcome(page: dict[str, Any], validity: timedelta) -> Outcome | None:
    """The answer to an authorisation on a page, its payment intent expanded. While it is open, nothing fails."""
    intent = page["payment_intent"]
    match page["status"]:
        case "open":
            until = datetime.fromtimestamp(page["expires_at"], UTC)
            return Outcome(State.ACTION_REQUIRED, page["id"], next_action_url=page["url"] or "", expires_at=until)
        case "expired":
            return failed("page_expired", page["id"])
        case _:
            return intent_outcome(intent, validity) if isinstance(intent, dict) else None


def not_yet_paid(thing: dict[str, Any], outcome: Outcome | None) -> Authorisation:
    """A page that is not paid, or a saving, as something that holds nothing."""
    ended = outcome is not None and outcome.state in (State.SUCCEEDED, State.FAILED)
    return Authorisation(thing["id"], operation_of(thing), outcome, ended, captured=0, refunded=0)


def refund_outcome(refund: dict[str, Any]) -> Outcome:
    """The answer to a refund. "pending" has been accepted: the money is on its way."""
    if _REFUNDS.get(refund["status"]) is RefundStatus.FAILED:
        return failed(refund.get("failure_reason") or "refund_failed", refund["id"])
    return Outcome(State.SUCCEEDED, reference=refund["id"])


def refund_state(refund: dict[str, Any]) -> RefundState:
    """A refund."""
    status = _REFUNDS.get(refund["status"], RefundStatus.PENDING)
    failure = refund.get("failure_reason") or "refund_failed"
    return RefundState(
        reference=refund["id"],
        provider_payment_id=_id(refund.get("payment_intent")),
        operation_id=operation_of(refund),
        status=status,
        amount_minor=from_wire(refund["amount"], refund["currency"].upper()),
        currency=refund["currency"].upper(),
        failure_code=failure if status is RefundStatus.FAILED else "",
    )


def dispute(told: dict[str, Any]) -> Dispute:
    """A dispute. What the provider took is in its own currency: only whether it did is said."""
    status = _DISPUTES.get(told["status"], DisputeStatus.UNDER_REVIEW)
    due = (told.get("evidence_details") or {}).get("due_by")
    return Dispute(
        reference=told["id"],
        provider_payment_id=_id(told.get("payment_intent")),
        status=status,
        amount_minor=from_wire(told["amount"], told["currency"].upper()),
        currency=told["currency"].upper(),
        reason=told["reason"],
        evidence_due=datetime.fromtimestamp(due, UTC) if due and status in _ANSWERABLE else None,
        withdrawn=sum(one["amount"] for one in told.get("balance_transactions") or []) < 0,
    )


def event(told: dict[str, Any]) -> ProviderEvent:
    """An event. Raises KeyError, TypeError, AttributeError for what is none."""
    thing = told["data"]["object"]
    event_id, kind = str(told["id"]), str(told["type"])
    match thing.get("object"):
        case "payment_intent":
            ended = thing.get("status") in ENDED
            return ProviderEvent(event_id, kind, str(thing["id"]), operation_of(thing), ended, About.PAYMENT)
        case "setup_intent":
            return ProviderEvent(event_id, kind, str(thing["id"]), operation_of(thing), about=About.SAVING)
        case "checkout.session":
            return ProviderEvent(event_id, kind, str(thing["id"]), operation_of(thing), about=About.PAGE)
        case "refund":
            return ProviderEvent(event_id, kind, about=About.REFUND, refund=refund_state(thing))
        case "dispute":
            return ProviderEvent(event_id, kind, about=About.DISPUTE, dispute=dispute(thing))
        case _:
            return ProviderEvent(event_id, kind)


def _authorised(intent: dict[str, Any], validity: timedelta) -> Outcome:
    charge = intent.get("latest_charge")
    details = charge["payment_method_details"] if isinstance(charge, dict) else {}
    card = details.get("card") or details.get("card_present") or {}
    created = datetime.fromtimestamp(intent["created"], UTC)
    until = card.get("capture_before")
    return Outcome(
        State.SUCCEEDED,
        reference=intent["id"],
        expires_at=datetime.fromtimestamp(until, UTC) if until else created + validity,
        multi_capture=(card.get("multicapture") or {}).get("status") == "available",
        incremental=_incremental(card),
        extended=(card.get("extended_authorization") or {}).get("status") == "enabled",
        saved_means=_saved_means(intent) if intent.get("setup_future_usage") == "off_session" else "",
    )


def _incremental(card: dict[str, Any]) -> bool:
    online = (card.get("incremental_authorization") or {}).get("status") == "available"
    return online or bool(card.get("incremental_authorization_supported"))


def _saved_means(intent: dict[str, Any]) -> str:
    customer, method = _id(intent.get("customer")), _id(intent.get("payment_method"))
    return f"{customer}/{method}" if customer and method else ""


def _redirect(intent: dict[str, Any]) -> str:
    return ((intent.get("next_action") or {}).get("redirect_to_url") or {}).get("url") or ""


def _in_person(intent: dict[str, Any]) -> bool:
    return "card_present" in (intent.get("payment_method_types") or [])


def _id(thing: Any) -> str:
    """Of something that may be expanded."""
    return str(thing["id"] if isinstance(thing, dict) else thing or "")
