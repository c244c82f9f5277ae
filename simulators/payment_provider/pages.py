"""What the customer sees: the bank that asks (3-D Secure), and the page where an amount is paid."""

from html import escape

from simulators.payment_provider.books import Body

_STYLE = (
    "body{font:16px system-ui;margin:3rem auto;max-width:26rem;padding:0 1rem}"
    "button{font:inherit;padding:.6rem 1.4rem;margin-right:.6rem}"
)
_CHOICES = (
    ("pm_card_visa", "Goes well (Visa)"),
    ("pm_card_mastercard", "Goes well (Mastercard)"),
    ("pm_card_authenticationRequired", "Bank asks (3-D Secure)"),
    ("pm_card_chargeDeclinedInsufficientFunds", "Declined: insufficient funds"),
    ("pm_card_visa_singleCapture", "One capture only"),
)


def ask(intent: Body) -> str:
    """Approve or refuse."""
    here = f"/3ds/{escape(intent['id'])}"
    about = "that this card is kept for later payments"
    if intent["object"] == "payment_intent":
        about = f"a payment of <strong>{escape(_amount(intent['amount'], intent['currency']))}</strong>"
    return _page(
        "Your bank asks",
        f"<p>Do you approve {about}?</p>"
        f'<form method="post" action="{here}/approve" style="display:inline">'
        f'<button id="approve">Approve</button></form>'
        f'<form method="post" action="{here}/refuse" style="display:inline">'
        f'<button id="refuse">Refuse</button></form>',
    )


def done(intent: Body) -> str:
    """Nothing more to do."""
    return _page("Thank you", f"<p>The payment is now <strong>{escape(intent['status'])}</strong>.</p>")


def pay(session: Body, refusal: str = "") -> str:
    """One amount, and a choice of test cards. There is no field for a card number."""
    amount = escape(_amount(session["amount_total"], session["currency"]))
    back = session["cancel_url"]
    return _page(
        "Pay",
        f"<p>Amount: <strong>{amount}</strong></p>"
        + (f'<p id="refusal">Refused: {escape(refusal)}. Try another card.</p>' if refusal else "")
        + f'<form method="post" action="/pay/{escape(session["id"])}"><p><label>Card '
        + f'<select name="payment_method">{"".join(map(_option, _CHOICES))}</select></label></p>'
        + '<button id="pay">Pay</button>'
        + (f'<a id="cancel" href="{escape(back)}">Back to the shop</a>' if back else "")
        + "</form>",
    )


def over(session: Body) -> str:
    """Nothing can be paid here any more."""
    return _page("This page is closed", f"<p>It is <strong>{escape(session['status'])}</strong>.</p>")


def _option(choice: tuple[str, str]) -> str:
    return f'<option value="{choice[0]}">{choice[1]}</option>'


def _amount(minor: int, currency: str) -> str:
    return f"{minor} {currency.upper()} (minor units)"


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{content}</body></html>"
    )
