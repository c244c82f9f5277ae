"""The page where the customer authenticates a payment (3-D Secure)."""

from html import escape

from simulators.payment_provider.books import Body

_STYLE = (
    "body{font:16px system-ui;margin:3rem auto;max-width:26rem;padding:0 1rem}"
    "button{font:inherit;padding:.6rem 1.4rem;margin-right:.6rem}"
)


def ask(intent: Body) -> str:
    """Approve or refuse."""
    here = f"/3ds/{escape(intent['id'])}"
    amount = f"{intent['amount']} {intent['currency'].upper()} (minor units)"
    return _page(
        "Your bank asks",
        f"<p>Do you approve a payment of <strong>{escape(amount)}</strong>?</p>"
        f'<form method="post" action="{here}/approve" style="display:inline">'
        f'<button id="approve">Approve</button></form>'
        f'<form method="post" action="{here}/refuse" style="display:inline">'
        f'<button id="refuse">Refuse</button></form>',
    )


def done(intent: Body) -> str:
    """Nothing more to do."""
    return _page("Thank you", f"<p>The payment is now <strong>{escape(intent['status'])}</strong>.</p>")


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{content}</body></html>"
    )
