"""What a customer's page says, in English and French; and how it tells days, windows and prices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kit.values.money import Money, exponent
from services.gateway.console.store.words import Language

_WORDS: Mapping[str, tuple[str, str]] = {
    "order": ("Order", "Commande"),
    "your_order": ("Your order", "Votre commande"),
    "other_language": ("Français", "English"),
    "placed": ("Placed", "Passée"),
    "total": ("Total", "Total"),
    "going_to": ("Goes to", "Livraison à"),
    "number": ("Number", "Numéro"),
    "about": ("Your order at a glance", "Votre commande en bref"),
    "progress": ("How far it is", "Avancement"),
    "step_validated": ("Confirmed", "Confirmée"),
    "step_preparing": ("Being prepared", "En préparation"),
    "step_on_its_way": ("On its way", "En route"),
    "step_delivered": ("Delivered", "Livrée"),
    "arrives": ("Expected", "Arrivée prévue"),
    "now_expected": ("Now expected", "Désormais prévue"),
    "promised": ("Promised", "Promise"),
    "late": ("Later than promised", "Plus tard que promis"),
    "parcel_left": ("Handed to the carrier", "Remis au transporteur"),
    "arrived": ("Delivered", "Livré"),
    "carrier": ("Carrier", "Transporteur"),
    "tracking": ("Tracking number", "Numéro de suivi"),
    "parcels": ("What you receive", "Ce que vous recevez"),
    "parcel": ("Parcel", "Colis"),
    "of": ("of", "sur"),
    "waiting": ("To be prepared", "À préparer"),
    "preparing": ("Being prepared", "En préparation"),
    "ready": ("Packed", "Emballé"),
    "on_its_way": ("On its way", "En route"),
    "out_for_delivery": ("Out for delivery", "En cours de livraison"),
    "attempted": ("Could not be delivered", "Livraison manquée"),
    "delivered": ("Delivered", "Livré"),
    "taken": ("Taken along", "Emporté"),
    "taken_at": ("From our store", "De notre magasin"),
    "lost": ("Did not arrive", "Pas arrivé"),
    "returning": ("On its way back", "En retour"),
    "returned": ("Came back", "Revenu"),
    "tries_again": (
        "The carrier could not hand it over, and tries again.",
        "Le transporteur n'a pas pu le remettre, et fera un nouvel essai.",
    ),
    "failed_recipient_absent": ("Nobody was there.", "Personne n'était là."),
    "failed_refused": ("It was refused.", "Il a été refusé."),
    "failed_address_incomplete": ("The address is not complete.", "L'adresse est incomplète."),
    "goes_back": ("It goes back to us; we refund it.", "Il nous revient ; nous le remboursons."),
    "came_back": ("It came back to us; it is refunded.", "Il nous est revenu ; il est remboursé."),
    "lost_open": (
        "We are sorry: this parcel did not arrive. We are looking into it.",
        "Nous sommes désolés : ce colis n'est pas arrivé. Nous cherchons ce qu'il est devenu.",
    ),
    "lost_reship": (
        "We are sorry: this parcel did not arrive. We send its articles again.",
        "Nous sommes désolés : ce colis n'est pas arrivé. Nous renvoyons ses articles.",
    ),
    "lost_refund": (
        "We are sorry: this parcel did not arrive. Its articles are refunded.",
        "Nous sommes désolés : ce colis n'est pas arrivé. Ses articles sont remboursés.",
    ),
    "instead_of": ("instead of", "à la place de"),
    "sent_again": ("Sent again", "Nouvel envoi"),
    "cause_planned_later": (
        "It leaves from another place than planned.",
        "Il part d'un autre endroit que prévu.",
    ),
    "cause_hand_over_missed": ("It leaves later than planned.", "Il part plus tard que prévu."),
    "cause_delivery_missed": ("The carrier is late.", "Le transporteur est en retard."),
    "waits_for_stock": ("Waits for articles that arrive", "Attend des articles qui arrivent"),
    "released": ("Release date", "Date de sortie"),
    "leaves_after": ("It leaves no earlier.", "Il ne part pas avant."),
    "to_store": ("On its way to the store", "En route vers le magasin"),
    "to_collect": ("Ready to be collected", "Prête à être retirée"),
    "collected": ("Collected", "Retirée"),
    "collected_at": ("Collected at", "Retrait à"),
    "code_show": ("Show this code at the counter.", "Présentez ce code au comptoir."),
    "code_picture": ("The code as a picture, to be scanned", "Le code en image, à scanner"),
    "code_opens": (
        "This code opens the locker of the store, compartment",
        "Ce code ouvre le casier du magasin, numéro",
    ),
    "kept_until": ("Kept for you until", "Gardée pour vous jusqu'au"),
    "question": ("Your store does not have all of it", "Votre magasin n'a pas tout"),
    "question_what": (
        "Please tell the shop what you prefer. Without an answer you get your money back:",
        "Dites à la boutique ce que vous préférez. Sans réponse, vous êtes remboursé :",
    ),
    "question_store": ("Collect it at", "Retrait à"),
    "question_delivery": ("Have it delivered", "Livraison"),
    "question_refund": ("Your money back", "Remboursement"),
    "unplaced": ("Still to be planned", "Encore à planifier"),
    "unplaced_why": (
        "We are choosing from where these articles leave.",
        "Nous choisissons d'où partent ces articles.",
    ),
    "cancelled": ("Cancelled", "Annulé"),
    "refunds": ("Refunds", "Remboursements"),
    "refund_done": ("Refunded", "Remboursé"),
    "refund_open": ("Under way", "En cours"),
    "refund_goods": ("Articles", "Articles"),
    "refund_goodwill": ("A gesture of ours", "Un geste de notre part"),
    "refund_delivery_fee": ("Delivery fee", "Frais de livraison"),
    "refund_cancelled_units": ("Cancelled articles", "Articles annulés"),
    "appointment": ("Appointment", "Rendez-vous"),
    "appointment_booked": ("We come to you", "Nous venons chez vous"),
    "appointment_moving": (
        "You asked for another time: we confirm it shortly.",
        "Vous avez demandé un autre horaire : nous le confirmons bientôt.",
    ),
    "appointment_missed": (
        "We did not meet you. Please choose another time with the shop.",
        "Nous ne vous avons pas trouvé. Choisissez un autre horaire avec la boutique.",
    ),
    "trial": ("Try at home", "Essai à la maison"),
    "trial_waits": (
        "Your trial begins when everything has arrived. You then have this many days:",
        "Votre essai commence quand tout est arrivé. Vous avez alors ce nombre de jours :",
    ),
    "days_left": ("days left", "jours restants"),
    "day_left": ("day left", "jour restant"),
    "last_day": ("Last day", "Dernier jour"),
    "until": ("Until", "Jusqu'au"),
    "trial_undecided": (
        "Tell the shop what you send back. You pay only what you keep.",
        "Dites à la boutique ce que vous renvoyez. Vous ne payez que ce que vous gardez.",
    ),
    "trial_over": (
        "The trial is over. What did not come back is yours.",
        "L'essai est terminé. Ce qui n'est pas revenu est à vous.",
    ),
    "announced": ("You send back", "Vous renvoyez"),
    "back": ("Came back", "Revenu"),
    "kept": ("You keep", "Vous gardez"),
    "pay_confirm": ("Please confirm your payment", "Confirmez votre paiement"),
    "pay_confirm_why": (
        "Your bank asks for it. We begin once that is done.",
        "Votre banque le demande. Nous commençons dès que c'est fait.",
    ),
    "pay_failed": ("Your payment did not go through", "Votre paiement n'a pas abouti"),
    "pay_failed_why": (
        "Your articles stay reserved meanwhile.",
        "Vos articles restent réservés en attendant.",
    ),
    "pay_ask": ("The shop will send you a new payment link.", "La boutique vous enverra un lien de paiement."),
    "pay_now": ("Pay now", "Payer maintenant"),
    "pay_go": ("Confirm the payment", "Confirmer le paiement"),
    "checking": (
        "We take a closer look at this order before it goes on. You need not do anything.",
        "Nous vérifions cette commande avant de continuer. Vous n'avez rien à faire.",
    ),
    "changing": (
        "A change of this order is being made.",
        "Une modification de cette commande est en cours.",
    ),
    "cancel": ("Cancel this order", "Annuler cette commande"),
    "cancel_until": ("Nothing is prepared before", "Rien n'est préparé avant"),
    "cancel_sure": ("Do you want to cancel this order?", "Voulez-vous annuler cette commande ?"),
    "cancel_what": (
        "The whole order is cancelled. What was authorised is released, what was paid is refunded.",
        "Toute la commande est annulée. Ce qui est autorisé est libéré, ce qui est payé est remboursé.",
    ),
    "cancel_taken": (
        "What you took along stays yours.",
        "Ce que vous avez emporté reste à vous.",
    ),
    "cancel_do": ("Yes, cancel it", "Oui, l'annuler"),
    "cancel_no": ("No, keep it", "Non, la garder"),
    "cancel_done": ("Your order is cancelled.", "Votre commande est annulée."),
    "cancel_late": (
        "It is too late to cancel: the order has gone on meanwhile.",
        "Il est trop tard pour annuler : la commande a avancé entre-temps.",
    ),
    "try_again": ("This did not work. Please try again.", "Cela n'a pas marché. Réessayez."),
    "times_in": ("Times are those of", "Heures du fuseau"),
    "private": (
        "Whoever has the address of this page sees it. Share it with care.",
        "Quiconque a l'adresse de cette page la voit. Partagez-la avec soin.",
    ),
    "unknown_title": ("No such page", "Page inconnue"),
    "unknown": (
        "This link leads nowhere, or has ended. Check the address that you were sent, or ask the shop for one.",
        "Ce lien ne mène nulle part, ou a expiré. Vérifiez l'adresse reçue, ou demandez-en une à la boutique.",
    ),
    "erased_title": ("This page is gone", "Cette page n'existe plus"),
    "erased": (
        "Your details were erased, and this page with them. The order itself is done.",
        "Vos données ont été effacées, et cette page avec elles. La commande elle-même est terminée.",
    ),
    "away_title": ("Please try again", "Veuillez réessayer"),
    "away": (
        "Your order cannot be shown at the moment. Nothing is wrong with it.",
        "Votre commande ne peut pas être affichée pour le moment. Tout va bien pour elle.",
    ),
    "today": ("today", "aujourd'hui"),
    "tomorrow": ("tomorrow", "demain"),
    "between": ("between", "entre"),
    "and": ("and", "et"),
    "from": ("from", "du"),
    "to": ("to", "au"),
}

# Where a life cycle has no words of its own (SPEC ORD-2), by customer status.
_STATUSES: Mapping[str, tuple[str, str]] = {
    "received": ("Received", "Reçue"),
    "action required": ("Waiting for your payment", "En attente de votre paiement"),
    "refused": ("Could not be accepted", "N'a pas pu être acceptée"),
    "validated": ("Confirmed", "Confirmée"),
    "partially shipped": ("Partly on its way", "En partie en route"),
    "shipped": ("On its way", "En route"),
    "partially delivered": ("Partly delivered", "En partie livrée"),
    "delivered": ("Delivered", "Livrée"),
    "partially returned": ("Partly returned", "En partie retournée"),
    "returning": ("On its way back", "En retour"),
    "returned": ("Returned", "Retournée"),
    "lost": ("Did not arrive", "Pas arrivée"),
    "refunded": ("Refunded", "Remboursée"),
    "cancelled": ("Cancelled", "Annulée"),
}
_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}
_DAYS = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
)
_MONTHS = (
    (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
)
# Between a number and its unit no line breaks.
_NO_BREAK = "\N{NO-BREAK SPACE}"


def words_in(language: Language) -> dict[str, str]:
    """All words, by name."""
    return {name: pair[language == "fr"] for name, pair in _WORDS.items()}


def status_in(language: Language, status: str, labels: Mapping[str, str]) -> str:
    """A customer status: in the words of the life cycle, or else in ours."""
    if language in labels:
        return labels[language]
    pair = _STATUSES.get(status)
    return pair[language == "fr"] if pair else status


def price(amount: Money, language: Language) -> str:
    """For example "€1,054.80" and "1 054,80 €"; the code of a currency whose sign is not everybody's."""
    places = exponent(amount.currency)
    whole, part = divmod(abs(amount.amount_minor), 10**places)
    minus = "-" if amount.amount_minor < 0 else ""
    cents = f"{part:0{places}d}" if places else ""
    sign = _SIGNS.get(amount.currency)
    if language == "fr":
        number = minus + f"{whole:,}".replace(",", _NO_BREAK) + (f",{cents}" if cents else "")
        return f"{number}{_NO_BREAK}{sign or amount.currency}"
    number = f"{whole:,}" + (f".{cents}" if cents else "")
    return f"{minus}{sign}{number}" if sign else f"{minus}{number}{_NO_BREAK}{amount.currency}"


class Telling:
    """How days and windows are told to a reader: in his language, in one zone, at one instant."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self._fr = language == "fr"
        self._zone = zone
        self._today = now.astimezone(zone).date()
        self._words = words_in(language)

    def day(self, instant: datetime) -> str:
        """For example "Tuesday 2 December", after "today, " or "tomorrow, "."""
        days = (instant.astimezone(self._zone).date() - self._today).days
        near = {0: "today", 1: "tomorrow"}.get(days)
        told = self._date(instant)
        return f"{self._words[near]}, {told}" if near else told

    def moment(self, instant: datetime) -> str:
        """A day and a time."""
        return f"{self.day(instant)}, {self._clock(instant)}"

    def window(self, start: datetime, end: datetime) -> str:
        """Hours of one day, or else days."""
        last = max(start, end - timedelta(microseconds=1))
        first_day, last_day = (one.astimezone(self._zone).date() for one in (start, last))
        words = self._words
        if first_day != last_day:
            return f"{words['from']} {self._date(start)} {words['to']} {self._date(last)}"
        ends_at_midnight = end.astimezone(self._zone).date() != last_day
        if ends_at_midnight or start == end:
            return self.day(start)
        return f"{self.day(start)}, {words['between']} {self._clock(start)} {words['and']} {self._clock(end)}"

    def days_left(self, end: datetime) -> int:
        """Whole days, of which the one of the end is none."""
        return max(0, (end.astimezone(self._zone).date() - self._today).days)

    def _date(self, instant: datetime) -> str:
        local = instant.astimezone(self._zone)
        number = "1er" if self._fr and local.day == 1 else str(local.day)
        told = f"{_DAYS[self._fr][local.weekday()]} {number}{_NO_BREAK}{_MONTHS[self._fr][local.month - 1]}"
        return told if local.year == self._today.year else f"{told} {local.year}"

    def _clock(self, instant: datetime) -> str:
        return f"{instant.astimezone(self._zone):%H:%M}"
