"""Refusals in the provider's JSON shape."""

from typing import Any


class ProviderError(Exception):
    """An answer other than 200. `saved` tells whether the idempotency key keeps it."""

    def __init__(self, status: int, kind: str, message: str, *, saved: bool = False, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.body: dict[str, Any] = {
            "error": {"type": kind, "message": message, **{k: v for k, v in more.items() if v}}
        }


def invalid(message: str, *, code: str = "", param: str = "") -> ProviderError:
    """The request cannot be honoured as it is; nothing was done."""
    return ProviderError(400, "invalid_request_error", message, code=code, param=param)


def missing(what: str, identifier: str, param: str) -> ProviderError:
    """There is no such thing."""
    return ProviderError(
        404, "invalid_request_error", f"No such {what}: '{identifier}'", code="resource_missing", param=param
    )


def declined(
    code: str, decline_code: str, intent: dict[str, Any], *, name: str = "payment_intent"
) -> ProviderError:
    """The bank said no; the key keeps the answer. `name` is what the intent is called in it."""
    return ProviderError(
        402,
        "card_error",
        "Your card was declined.",
        saved=True,
        code=code,
        decline_code=decline_code,
        **{name: intent},
    )


def broken(status: int = 500, *, saved: bool = False) -> ProviderError:
    """A fault of the provider's own."""
    return ProviderError(status, "api_error", "Something went wrong on the provider's end.", saved=saved)
