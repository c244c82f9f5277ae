"""The provider's settlement file of a day tells each movement of money once, with its fee."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from tests.simulators.payment_provider import running
from tests.simulators.test_payment_provider import form


def test_the_file_of_a_day_has_its_captures_and_refunds_and_no_other_day_s(tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        intent = provider.post("/v1/payment_intents", form()).json()["id"]
        captured = {"amount_to_capture": 400, "final_capture": "false", "metadata[pop_1]": "400"}
        provider.post(f"/v1/payment_intents/{intent}/capture", captured).raise_for_status()
        refund = provider.post(
            "/v1/refunds", {"payment_intent": intent, "amount": 150, "metadata[operation_id]": "pop_2"}
        ).json()["id"]
        # Letting go of the rest moves no money.
        release = {"amount_to_capture": 0, "final_capture": "true"}
        provider.post(f"/v1/payment_intents/{intent}/capture", release).raise_for_status()
        today = datetime.now(UTC).date().isoformat()
        rows = list(csv.DictReader(io.StringIO(provider.get(f"/v1/settlements/{today}").text)))
        told = [(row["kind"], row["reference"], row["operation_id"], row["amount"], row["fee"]) for row in rows]
        assert told == [("capture", "", "pop_1", "4.00", "0.30"), ("refund", refund, "pop_2", "1.50", "0.00")]
        assert {row["payment_reference"] for row in rows} == {intent}
        assert len({row["transaction_id"] for row in rows}) == 2
        assert provider.get("/v1/settlements/2020-02-29").text.splitlines()[1:] == []
        assert provider.get("/v1/settlements/yesterday").status_code == 400
        assert provider.http.get(f"/v1/settlements/{today}").status_code == 401
