"""What the store's pages say, in English and French; and how they tell time: as a clock on the wall there does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from services.gateway.console import languages
from services.gateway.console.store import more_words

Language = Literal["en", "fr"]

_WORDS: Mapping[str, tuple[str, str]] = {
    "my_stores": ("My stores", "Mes magasins"),
    "no_store": ("Your account names no store.", "Votre compte ne nomme aucun magasin."),
    "which_store": ("Which store?", "Quel magasin ?"),
    "sign_out": ("Sign out", "Se déconnecter"),
    "work": ("Work", "Travail"),
    "counter": ("Counter", "Comptoir"),
    "to_counter": ("Put aside for the customer", "Mettre de côté pour le client"),
    "offered": ("New", "Nouveau"),
    "accepted": ("Pick", "Prélever"),
    "picked": ("Pack", "Emballer"),
    "packed": ("Hand over", "Remettre"),
    "nothing_offered": ("No new offers.", "Aucune nouvelle offre."),
    "nothing_accepted": ("Nothing to pick.", "Rien à prélever."),
    "nothing_picked": ("Nothing to pack.", "Rien à emballer."),
    "nothing_packed": ("No parcel waits for the carrier.", "Aucun colis n'attend le transporteur."),
    "new_ones_come": ("New work appears here by itself.", "Le travail arrive ici tout seul."),
    "article": ("article", "article"),
    "articles": ("articles", "articles"),
    "answer_by": ("Answer by", "Répondre avant"),
    "leaves_by": ("Leaves by", "Départ avant"),
    "not_before": ("Not before", "Pas avant"),
    "late": ("late", "en retard"),
    "order": ("Order", "Commande"),
    "carrier": ("Carrier", "Transporteur"),
    "accept": ("Accept", "Accepter"),
    "refuse": ("Refuse", "Refuser"),
    "why": ("Why not?", "Pourquoi ?"),
    "not_found": ("Not found", "Introuvable"),
    "damaged": ("Damaged", "Abîmé"),
    "no_staff": ("Nobody free", "Personne de libre"),
    "no_time": ("No time", "Pas le temps"),
    "other": ("Other", "Autre"),
    "scan": ("Scan or type a code", "Scanner ou saisir un code"),
    "camera": ("Scan with the camera", "Scanner avec l'appareil photo"),
    "stop_camera": ("Stop the camera", "Arrêter l'appareil photo"),
    "unknown_code": ("This code is of no article here", "Ce code n'est d'aucun article ici"),
    "all_found": ("All units of it are found", "Toutes les unités sont trouvées"),
    "found": ("found", "trouvé"),
    "of": ("of", "sur"),
    "one_less": ("One less", "Un de moins"),
    "one_more": ("One more", "Un de plus"),
    "picking_done": ("Picking done", "Prélèvement terminé"),
    "short": (
        "What is missing goes to another store, and counts as not there.",
        "Ce qui manque part d'un autre magasin et compte comme absent.",
    ),
    "short_collected": (
        "What is missing counts as not there. Another way is found for the customer.",
        "Ce qui manque compte comme absent. Une autre solution est trouvée pour le client.",
    ),
    "missing": ("Missing:", "Manquants :"),
    "finish_short": ("Go on without them", "Continuer sans"),
    "ship_to": ("Ship to", "Destinataire"),
    "slip": ("Packing slip", "Bon de livraison"),
    "label": ("Label", "Étiquette"),
    "weight": ("Weight of the closed parcel, in grams", "Poids du colis fermé, en grammes"),
    "expected_weight": ("The articles weigh about", "Les articles pèsent environ"),
    "close_parcel": ("Close the parcel", "Fermer le colis"),
    "tracking": ("Tracking code, when the label has one", "Numéro de suivi, si l'étiquette en porte un"),
    "hand_over": ("Handed to the carrier", "Remis au transporteur"),
    "money_pending": (
        "The payment is being taken. The parcel may leave in a moment.",
        "Le paiement est en cours. Le colis pourra partir dans un instant.",
    ),
    "money_failed": (
        "Keep the parcel: its payment failed. Customer service decides.",
        "Gardez le colis : le paiement a échoué. Le service client décide.",
    ),
    "back": ("Back to the list", "Retour à la liste"),
    "done_accept": ("Accepted", "Accepté"),
    "done_refuse": ("Refused", "Refusé"),
    "done_pick": ("Picked", "Prélevé"),
    "done_pack": ("Parcel closed", "Colis fermé"),
    "done_hand_over": ("Handed over", "Remis"),
    "gone": ("This work is no longer yours to do.", "Ce travail n'est plus à faire ici."),
    "offline": ("No network.", "Pas de réseau."),
    "kept": (
        "Kept on this phone, sent when the network is back:",
        "Gardé sur ce téléphone, envoyé au retour du réseau :",
    ),
    "kept_here": ("kept, not sent yet", "gardé, pas encore envoyé"),
    "not_done": ("This could not be done:", "Ceci n'a pas pu être fait :"),
    "first_shown": ("Only the first are shown.", "Seuls les premiers sont affichés."),
    "tomorrow": ("tomorrow", "demain"),
    "arrivals": ("Arrivals", "Arrivages"),
    "comes_from": ("From", "De"),
    "expected_by": ("Expected by", "Attendu avant"),
    "in_order": ("In good order", "En bon état"),
    "receive": ("Received", "Reçu"),
    "done_receive": ("Received", "Reçu"),
    "nothing_comes": ("No parcel is on its way here.", "Aucun colis n'est en route."),
    "for_stock": (
        "The order was cancelled: put the articles into stock.",
        "La commande a été annulée : rangez les articles en stock.",
    ),
    "to_hub": ("Send to", "Envoyer à"),
    "desk": ("Desk pages", "Pages de bureau"),
}

# Why an act was not done, for people in a shop; any other reason is told as the service words it.
_PROBLEMS: Mapping[str, tuple[str, str]] = {
    "OFFER_GONE": (
        "Too late: somebody else has it, or it was cancelled.",
        "Trop tard : un autre l'a prise, ou elle a été annulée.",
    ),
    "OFFER_CLAIMED": (
        "Another store is taking it just now. Try again in a moment.",
        "Un autre magasin est en train de la prendre. Réessayez dans un instant.",
    ),
    "STOCK_NOT_THERE": (
        "The system has no stock for it here: it goes to another store.",
        "Le système n'a pas de stock ici : elle part dans un autre magasin.",
    ),
    "NOT_CAPTURED": (
        "The payment is not there yet: keep the parcel.",
        "Le paiement n'est pas encore là : gardez le colis.",
    ),
    "CANCELLED": (
        "The order was cancelled. Put the articles back.",
        "La commande a été annulée. Remettez les articles en rayon.",
    ),
    "ON_HOLD": ("The order is stopped: keep the parcel.", "La commande est bloquée : gardez le colis."),
    "NOT_BEFORE": (
        "It is too early: the article is not released yet.",
        "C'est trop tôt : l'article n'est pas encore sorti.",
    ),
    "FULFILMENT_NOT_FOUND": ("This work is no longer yours to do.", "Ce travail n'est plus à faire ici."),
    "TRACKING_CODE_TAKEN": (
        "Another parcel has this tracking code.",
        "Un autre colis porte ce numéro de suivi.",
    ),
    "NOT_ON_ITS_WAY": (
        "This parcel was received already, or has not left yet.",
        "Ce colis est déjà reçu, ou n'est pas encore parti.",
    ),
    "UNREACHABLE": (
        "The system cannot be reached. Try again.",
        "Le système est injoignable. Réessayez.",
    ),
}
_FRENCH_DAYS = ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim.")
_FRENCH_MONTHS = (
    *("janv.", "févr.", "mars", "avr.", "mai", "juin"),
    *("juil.", "août", "sept.", "oct.", "nov.", "déc."),
)


def language_of(accept_language: str) -> Language:
    """The first of the two that a reader accepts; English when it is neither."""
    for one in languages.preferred(accept_language):
        if one == "fr":
            return "fr"
        if one == "en":
            return "en"
    return "en"


def words_in(language: Language) -> dict[str, str]:
    """All words, by name."""
    return {name: pair[language == "fr"] for name, pair in {**_WORDS, **more_words.WORDS}.items()}


def problem_in(language: Language, reason: str, detail: str) -> str:
    """Why something was not done; `detail` where nothing better is known."""
    pair = _PROBLEMS.get(reason) or more_words.PROBLEMS.get(reason)
    return pair[language == "fr"] if pair else detail


def clock(instant: datetime, now: datetime, zone: ZoneInfo, language: Language) -> str:
    """For example "16:00", "tomorrow 09:30" or "Tue 2 Dec 09:30", in the zone of the point."""
    local, today = instant.astimezone(zone), now.astimezone(zone).date()
    time = f"{local:%H:%M}"
    days = (local.date() - today).days
    if days == 0:
        return time
    if days == 1:
        return f"{words_in(language)['tomorrow']} {time}"
    if language == "fr":
        return f"{_FRENCH_DAYS[local.weekday()]} {local.day} {_FRENCH_MONTHS[local.month - 1]} {time}"
    return f"{local:%a} {local.day} {local:%b} {time}"
