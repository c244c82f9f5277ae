"""What a retailer chose by sales channel: the account that serves it, and what becomes of refunds that failed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# In the place of a channel or an account: every one.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Policies:
    """By id of a channel, with accounts by name of their provider."""

    # Of channels that are not in `accounts`.
    account: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    # Accounts of which a credit note gives back what can not be refunded.
    credit_notes: Mapping[str, Collection[str]] = field(default_factory=dict)

    def account_of(self, channel_id: str) -> str:
        """Where new payments of a channel are authorised."""
        return self.accounts.get(channel_id, self.account)

    def gives_credit_note(self, channel_id: str, account: str) -> bool:
        """Whether what this account cannot refund for this channel is given back so, or else a person decides."""
        chosen = {*self.credit_notes.get(channel_id, ()), *self.credit_notes.get(ANY, ())}
        return not chosen.isdisjoint({account, ANY})

    def named(self) -> set[str]:
        """Every account that is chosen for something."""
        chosen = {name for names in self.credit_notes.values() for name in names}
        return {self.account, *self.accounts.values(), *chosen} - {ANY}
