"""Terminals on a shop's counter: an intent is shown, a card is presented.

Readers need not be registered: `tmr_simulated...` is there, `tmr_offline...` is not.
"""

from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.errors import ProviderError, invalid, missing
from simulators.payment_provider.intents import Intents
from simulators.payment_provider.profiles import Profile

_READER = "terminal.reader"


class Readers:
    """The rules. The caller holds the transaction."""

    def __init__(self, books: Books, profile: Profile, intents: Intents) -> None:
        self._books = books
        self._profile = profile
        self._intents = intents

    def find(self, reader_id: str) -> Body:
        """One reader. Raises a 404."""
        known = self._books.thing(_READER, reader_id)
        if known is not None:
            return known
        if not self._profile.terminal or not reader_id.startswith(("tmr_simulated", "tmr_offline")):
            raise missing(_READER, reader_id[:40], "reader")
        return {
            "id": reader_id,
            "object": _READER,
            "action": None,
            "device_type": "simulated_wisepos_e",
            "label": reader_id,
            "livemode": False,
            "metadata": {},
            "status": "offline" if reader_id.startswith("tmr_offline") else "online",
        }

    def process(self, reader_id: str, params: Body) -> Body:
        """Shows an intent on the reader, which then waits for a card."""
        reader = self.find(reader_id)
        intent = self._intents.find(str(params.get("payment_intent", "")), param="payment_intent")
        if intent["payment_method_types"] != ["card_present"]:
            raise invalid("The intent is not to be paid in person.", param="payment_intent")
        if reader["status"] != "online":
            raise _refused("The reader is offline.", "terminal_reader_offline")
        busy = _in_progress(reader)
        if busy and busy != intent["id"]:
            raise _refused("The reader is busy.", "terminal_reader_busy")
        if intent["status"] != "requires_payment_method":
            raise invalid("The intent does not wait for a card.", code="payment_intent_unexpected_state")
        action = {"type": "process_payment_intent", "status": "in_progress", "failure_code": None}
        reader["action"] = action | {"process_payment_intent": {"payment_intent": intent["id"]}}
        self._books.save(reader)
        return reader

    def present(self, reader_id: str, method: str) -> Body:
        """The customer presents a card."""
        reader = self.find(reader_id)
        intent_id = _in_progress(reader)
        if not intent_id:
            raise invalid("The reader waits for no card.", param="reader")
        try:
            self._intents.confirm(intent_id, {"payment_method": method}, "")
            reader["action"]["status"] = "succeeded"
        except ProviderError as error:
            reader["action"] |= {"status": "failed", "failure_code": error.body["error"].get("code")}
        self._books.save(reader)
        return reader

    def cancel(self, reader_id: str) -> Body:
        """The reader waits no more."""
        reader = self.find(reader_id)
        reader["action"] = None
        self._books.save(reader)
        return reader


def _in_progress(reader: Body) -> str:
    action = reader["action"]
    waits = action is not None and action["status"] == "in_progress"
    return str(action["process_payment_intent"]["payment_intent"]) if waits else ""


def _refused(message: str, code: str) -> ProviderError:
    return ProviderError(400, "invalid_request_error", message, code=code)
