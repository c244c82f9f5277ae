"""What a store prints of many works at once: pick lists and manifests. Draws what it is told, asks nobody."""

from datetime import datetime

from services.gateway.places import Place
from services.gateway.printing import Column, Language, Sheet, sheet_pdf
from services.gateway.schemas.manifests import ManifestView
from services.gateway.schemas.picking import PickListView

_WORDS = {
    "pick_list": ("Pick list", "Liste de prélèvement"),
    "picker": ("Picked by", "Prélevé par"),
    "location": ("Location", "Emplacement"),
    "article": ("Article", "Article"),
    "units": ("Units", "Quantité"),
    "containers": ("Containers", "Bacs"),
    "manifest": ("Manifest", "Bordereau de remise"),
    "carrier": ("Carrier", "Transporteur"),
    "parcels": ("Parcels", "Colis"),
    "weight": ("Weight", "Poids"),
    "tracking": ("Tracking code", "Numéro de suivi"),
    "signed_store": ("For the store", "Pour le magasin"),
    "signed_driver": ("Driver: name, date, signature", "Chauffeur : nom, date, signature"),
}


def pick_list_pdf(found: PickListView, place: Place, language: Language) -> bytes:
    """The articles of the works that are still to be picked, in walking order, with their containers."""
    works = [f"{one.slot}: {one.channel_order_number or one.order_id}" for one in found.works if one.is_open]
    sheet = Sheet(
        title=f"{_word('pick_list', language)} · {place.name}",
        facts=[
            f"{_word('picker', language)} {found.actor} · {_clock(found.opened_at, place)}",
            "   ".join(works),
        ],
        columns=[
            Column(_word("location", language), 0.17),
            Column(_word("article", language), 0.5),
            Column(_word("units", language), 0.1, is_figure=True),
            Column(_word("containers", language), 0.23),
        ],
        rows=[
            (
                one.location or "-",
                f"{one.title} ({one.gtin or one.sku})",
                str(one.quantity),
                "  ".join(f"{share.slot}: {share.quantity}" for share in one.shares),
            )
            for one in found.articles
        ],
    )
    return sheet_pdf(sheet, language)


def manifest_pdf(found: ManifestView, place: Place, language: Language) -> bytes:
    """The parcels that the carrier took, with room for two signatures."""
    whole = sum(one.weight_grams for one in found.parcels)
    sheet = Sheet(
        title=f"{_word('manifest', language)} {found.number}",
        facts=[
            f"{place.name} · {_clock(found.closed_at, place)}",
            f"{_word('carrier', language)} {found.carrier_id}",
            f"{_word('parcels', language)} {len(found.parcels)} · {_word('weight', language)} "
            f"{_kilograms(whole, language)}",
        ],
        columns=[
            Column("SSCC", 0.3),
            Column(_word("tracking", language), 0.4),
            Column(_word("units", language), 0.12, is_figure=True),
            Column(_word("weight", language), 0.18, is_figure=True),
        ],
        rows=[
            (one.sscc, one.tracking_code, str(one.units), _kilograms(one.weight_grams, language))
            for one in found.parcels
        ],
        below=[_word("signed_store", language), _word("signed_driver", language)],
    )
    return sheet_pdf(sheet, language)


def _word(name: str, language: Language) -> str:
    return _WORDS[name][language == "fr"]


def _clock(instant: datetime, place: Place) -> str:
    return f"{instant.astimezone(place.zone):%Y-%m-%d %H:%M}"


def _kilograms(grams: int, language: Language) -> str:
    return f"{grams / 1000:.3f} kg".replace(".", "," if language == "fr" else ".")
