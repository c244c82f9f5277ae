"""A tax document as a page to print, in English or French."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from kit.values.money import exponent
from services.gateway import billing
from services.gateway.console import session, templates
from services.gateway.guard import ClientsAre
from services.gateway.routes.common import DocumentNumber
from services.gateway.schemas.documents import DocumentDetail, Language

document_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

# English, French.
_WORDS: dict[str, tuple[str, str]] = {
    "invoice": ("Invoice", "Facture"),
    "credit_note": ("Credit note", "Avoir"),
    "sales_receipt": ("Sales receipt", "Ticket de caisse"),
    "issued_on": ("Issued on", "Émis le"),
    "order": ("Order", "Commande"),
    "store": ("Store", "Magasin"),
    "corrects": ("Corrects", "Rectifie"),
    "seller": ("Seller", "Vendeur"),
    "buyer": ("Buyer", "Client"),
    "no_buyer": ("Not shown, or erased", "Non affiché ou effacé"),
    "article": ("Article", "Article"),
    "units": ("Units", "Quantité"),
    "rate": ("Tax rate", "Taux de TVA"),
    "net": ("Net", "HT"),
    "tax": ("Tax", "TVA"),
    "gross": ("Gross", "TTC"),
    "discount": ("discount included", "remise comprise"),
    "delivery": ("Delivery", "Livraison"),
    "goodwill": ("Goodwill", "Geste commercial"),
    "credited_before": ("Credited before", "Déjà crédité"),
    "by_rate": ("By tax rate", "Par taux de TVA"),
    "total": ("Total", "Total"),
    "paid": ("Taken", "Réglé"),
    "given_back": ("Given back", "Remboursé"),
    "payment_method_token": ("Card or wallet", "Carte ou portefeuille"),
    "provider_authorisation_id": ("Card or wallet, by the channel", "Carte ou portefeuille, par le canal"),
    "paid_by_channel_reference": ("Paid to the channel", "Payé au canal"),
    "saved_means": ("Saved means", "Moyen enregistré"),
    "terminal": ("Card at the counter", "Carte au comptoir"),
    "payment_link": ("Payment link", "Lien de paiement"),
    "stored_value_code": ("Gift card, credit note or voucher", "Carte cadeau, avoir ou bon d'achat"),
    "cash": ("Cash", "Espèces"),
    "till_card": ("Card at the till", "Carte en caisse"),
}


@document_pages.get("/console/documents/{number}")
async def read_document(
    request: Request,
    clients: ClientsAre,
    number: DocumentNumber,
    lang: Language | None = None,
    accepted: Annotated[str, Header(alias="Accept-Language", max_length=500)] = "",
) -> Response:
    """One document, for people at the console."""
    return printed(request, await billing.detail(clients, session.caller_of(request), number), lang, accepted)


def printed(request: Request, document: DocumentDetail, lang: Language | None, accepted: str) -> Response:
    """The page; without `lang`, in the first of the accepted languages that it is written in."""
    language: Language = lang or _first_of(accepted)
    is_french = language == "fr"

    def amount(amount_minor: int) -> str:
        return _amount(amount_minor, document.total.currency, is_french=is_french)

    return templates.page(
        request,
        "document.html",
        document=document,
        language=language,
        words={name: pair[is_french] for name, pair in _WORDS.items()},
        amount=amount,
        rate=_french_rate if is_french else _rate,
        day=_french_day if is_french else _day,
    )


def _first_of(accepted: str) -> Language:
    for part in accepted.lower().split(","):
        name = part.split(";")[0].strip().split("-")[0]
        if name == "fr":
            return "fr"
        if name == "en":
            return "en"
    return "en"


def _amount(amount_minor: int, currency: str, *, is_french: bool) -> str:
    """For example "1,234.50 EUR", or "1 234,50 EUR" with spaces that do not break."""
    places = exponent(currency)
    whole, part = divmod(abs(amount_minor), 10**places)
    thousands, point = ("\u202f", ",") if is_french else (",", ".")
    text = f"{whole:,}".replace(",", thousands) + (f"{point}{part:0{places}d}" if places else "")
    return f"{'-' if amount_minor < 0 else ''}{text}\u00a0{currency}"


def _rate(basis_points: int) -> str:
    return f"{basis_points / 100:g}\u00a0%"


def _french_rate(basis_points: int) -> str:
    return _rate(basis_points).replace(".", ",")


def _day(value: date) -> str:
    return f"{value:%-d %B %Y}"


_FRENCH_MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)


def _french_day(value: date) -> str:
    return f"{value.day} {_FRENCH_MONTHS[value.month - 1]} {value.year}"
