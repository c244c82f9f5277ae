"""What the counter's pages say, in English and French, beside the words that all of the store's pages have."""

from collections.abc import Mapping

from services.gateway.console.store import words
from services.gateway.console.store.words import Language

_WORDS: Mapping[str, tuple[str, str]] = {
    "waits_for_customers": ("Waiting for customers", "En attente des clients"),
    "nothing_ready": ("Nothing waits here.", "Rien n'attend ici."),
    "find_by_code": ("Type or scan the customer's code", "Saisir ou scanner le code du client"),
    "code_is_right": (
        "The code is right. Check the articles, and hand them over.",
        "Le code est bon. Vérifiez les articles et remettez-les.",
    ),
    "find_order": ("End of the order number", "Fin du numéro de commande"),
    "find": ("Find", "Chercher"),
    "kept_until": ("Kept until", "Gardé jusqu'au"),
    "overdue": ("Nobody came in time", "Personne n'est venu à temps"),
    "lies_at": ("Lies at", "Se trouve en"),
    "shelf": ("Where it lies (shelf, bin)", "Où il se trouve (étagère, bac)"),
    "put_aside": ("Put aside for the customer", "Mettre de côté pour le client"),
    "for_locker": (
        "The customer wants to find it in a locker.",
        "Le client veut le retirer dans un casier.",
    ),
    "book_compartment": ("Book a compartment", "Réserver un casier"),
    "compartment": ("Compartment", "Casier"),
    "put_into": ("Put it into compartment", "Déposez-le dans le casier"),
    "is_in": ("It is in the compartment", "C'est déposé dans le casier"),
    "locker_full": (
        "No compartment is free: put it aside at the counter.",
        "Aucun casier n'est libre : mettez-le de côté au comptoir.",
    ),
    "in_locker": (
        "The customer opens it with the code. Nothing is to be done.",
        "Le client l'ouvre avec le code. Rien à faire.",
    ),
    "empty_compartment": ("Take it out first: compartment", "À sortir d'abord du casier"),
    "take_out": ("Take it out to the counter", "Le sortir et le garder au comptoir"),
    "put_at_counter": ("Put aside at the counter instead", "Mettre plutôt de côté au comptoir"),
    "for_customer": ("For", "Pour"),
    "code": ("The customer's code", "Code du client"),
    "without_code": ("No code? Look at a document", "Pas de code ? Vérifier une pièce"),
    "document": ("Document that you looked at", "Pièce vérifiée"),
    "never_number": (
        "The name must be the one on the order. Never write its number down.",
        "Le nom doit être celui de la commande. Ne notez jamais le numéro.",
    ),
    "identity_card": ("Identity card", "Carte d'identité"),
    "passport": ("Passport", "Passeport"),
    "driving_licence": ("Driving licence", "Permis de conduire"),
    "residence_permit": ("Residence permit", "Titre de séjour"),
    "who_collects": ("Who collects it", "Qui le retire"),
    "the_customer": ("The customer", "Le client"),
    "somebody_else": ("Somebody else, with the code", "Une autre personne, avec le code"),
    "taken": ("taken", "pris"),
    "hand_to_customer": ("Hand over", "Remettre au client"),
    "locked": (
        "Too many wrong codes. Look at a document, or call customer service.",
        "Trop de codes erronés. Vérifiez une pièce ou appelez le service client.",
    ),
    "handing": (
        "The payment is being taken. Keep the goods until this page says that it is there.",
        "Le paiement est en cours. Gardez les articles jusqu'à ce que cette page le confirme.",
    ),
    "handing_failed": (
        "The last payment failed. Keep the goods; try again once the customer has mended it.",
        "Le dernier paiement a échoué. Gardez les articles ; réessayez une fois le client en règle.",
    ),
    "collected_now": ("Paid. Hand it over now.", "C'est payé. Remettez-le maintenant."),
    "pay_at_till": (
        "Reserved, not paid: the customer pays at your till.",
        "Réservé, non payé : le client paie à votre caisse.",
    ),
    "to_put_back": ("Put back on the shelf", "À remettre en rayon"),
    "nothing_to_put_back": ("Nothing to put back.", "Rien à remettre en rayon."),
    "unpack": ("Cancelled: open the parcel, put all back", "Annulé : ouvrir le colis, tout remettre"),
    "is_back": ("It is back", "C'est remis"),
    "done_ready": ("Put aside; the customer is told", "Mis de côté ; le client est prévenu"),
    "done_put_back": ("Back on the shelf", "Remis en rayon"),
}
_PROBLEMS: Mapping[str, tuple[str, str]] = {
    "WRONG_CODE": ("This is not its code.", "Ce n'est pas son code."),
    "CODE_LOCKED": _WORDS["locked"],
    "CODE_UNKNOWN": (
        "Nothing that waits here has this code. Find the order by its number.",
        "Rien de ce qui attend ici n'a ce code. Cherchez la commande par son numéro.",
    ),
    "NOT_A_CODE": ("A code has six letters and digits.", "Un code a six lettres et chiffres."),
    "TOO_MANY_CODES": (
        "Too many wrong codes here. Find the order by its number; codes alone are tried again in an hour.",
        "Trop de codes erronés ici. Cherchez la commande par son numéro ; le code seul dans une heure.",
    ),
    "CODE_OF_SEVERAL": (
        "Several orders here have this code. Find the order by its number.",
        "Plusieurs commandes ont ce code ici. Cherchez la commande par son numéro.",
    ),
    "COLLECTING": _WORDS["handing"],
    "NOT_CAPTURED": ("It is not paid yet: keep the goods.", "Ce n'est pas encore payé : gardez les articles."),
    "NOT_READY": ("It does not wait here any more.", "Il n'attend plus ici."),
    "CODE_NEEDED": (
        "Who is not the customer collects with the code.",
        "Qui n'est pas le client retire avec le code.",
    ),
    "PAID_FOR_OTHERS": (
        "Other articles of it are paid already: hand these over.",
        "D'autres articles sont déjà payés : remettez ceux-là.",
    ),
    "LOCKER_AWAY": (
        "The lockers do not answer. Try again, or put it aside at the counter.",
        "Les casiers ne répondent pas. Réessayez, ou mettez-le de côté au comptoir.",
    ),
    "NO_LOCKER_BANK": ("There are no lockers here.", "Il n'y a pas de casiers ici."),
    "IN_LOCKER": ("It lies in a compartment: take it out first.", "Il est dans un casier : sortez-le d'abord."),
    "NOT_IN_LOCKER": ("It lies in no compartment any more.", "Il n'est plus dans un casier."),
    "NOTHING_TO_PUT_BACK": ("It is back already.", "C'est déjà remis."),
}


def words_in(language: Language) -> dict[str, str]:
    """The counter's words, by name."""
    return {name: pair[language == "fr"] for name, pair in _WORDS.items()}


def problem_in(language: Language, reason: str, detail: str) -> str:
    """Why something was not done at the counter."""
    pair = _PROBLEMS.get(reason)
    return pair[language == "fr"] if pair else words.problem_in(language, reason, detail)
