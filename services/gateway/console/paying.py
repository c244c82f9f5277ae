"""What a customer finds who opens a payment link: the provider's page, or a few words. No login."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import NotFound, OmsError, Unavailable
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway.console import templates
from services.gateway.guard import ClientsAre, GuardedRoute
from services.gateway.wire import enum_name

paying_router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

# By state: status of the answer, heading and text in English and French.
_WORDS = {
    "paid": (
        200,
        ("Thank you", "This order is paid. You need not do anything."),
        ("Merci", "Cette commande est payée. Vous n'avez rien à faire."),
    ),
    "expired": (
        410,
        ("This link has expired", "Please ask the shop for a new one."),
        ("Ce lien a expiré", "Demandez-en un nouveau au magasin."),
    ),
    "cancelled": (
        410,
        ("Nothing to pay", "This order was cancelled, or is paid in another way."),
        ("Rien à payer", "Cette commande a été annulée ou est payée autrement."),
    ),
    "unknown": (
        404,
        ("No such link", "Please check the address that you were sent."),
        ("Lien inconnu", "Vérifiez l'adresse que vous avez reçue."),
    ),
    "away": (
        503,
        ("Please try again", "The payment page cannot be reached at the moment. Nothing was charged."),
        ("Veuillez réessayer", "La page de paiement est indisponible. Rien n'a été débité."),
    ),
}


@paying_router.get("/pay/{token}")
async def pay(
    request: Request,
    token: Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")],
    clients: ClientsAre,
    language: Annotated[str, Header(alias="Accept-Language", max_length=500)] = "",
) -> Response:
    """Leads to the provider's page of an open link. The token never stands in a log or a trace."""
    try:
        asked = payments.OpenPaymentLinkRequest(token=token)
        opened = await clients.act(clients.payments.OpenPaymentLink, asked)
    except (NotFound, Unavailable) as error:
        return _said(request, "unknown" if isinstance(error, NotFound) else "away", language)
    except OmsError:
        return _said(request, "away", language)
    if opened.url:
        return RedirectResponse(opened.url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return _said(request, enum_name(payments.PaymentLinkState.DESCRIPTOR, opened.state) or "unknown", language)


def _said(request: Request, state: str, language: str) -> Response:
    status, english, french = _WORDS[state]
    is_french = language.strip().lower().startswith("fr")
    heading, text = french if is_french else english
    return templates.page(
        request, "pay.html", status, language="fr" if is_french else "en", heading=heading, text=text
    )
