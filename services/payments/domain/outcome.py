"""What a provider answered, in our words."""

from dataclasses import dataclass, field
from datetime import datetime

from services.payments.domain.model import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """SUCCEEDED, FAILED with a code, or ACTION_REQUIRED with an address for the customer (none at a terminal)."""

    state: State
    reference: str = ""
    failure_code: str = ""
    next_action_url: str = ""
    expires_at: datetime | None = None
    multi_capture: bool = True
    # More may be authorised on it, as long as nothing is captured.
    incremental: bool = False
    # It holds longer than usual, because that was asked.
    extended: bool = False
    # What may be charged again without the customer, in the provider's words; a secret.
    saved_means: str = field(default="", repr=False)


def failed(code: str, reference: str = "") -> Outcome:
    """The provider refused: nothing was done."""
    return Outcome(State.FAILED, reference=reference, failure_code=code)
