"""What a customer finds who opens a payment link."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("token", "status", "english", "french"),
    [
        ("paid", 200, "This order is paid", "est payée"),
        ("expired", 410, "has expired", "a expiré"),
        ("cancelled", 410, "cancelled", "annulée"),
        ("unknown", 404, "No such link", "Lien inconnu"),
    ],
)
async def test_a_link_that_cannot_be_paid_says_why(
    http: httpx.AsyncClient, token: str, status: int, english: str, french: str
) -> None:
    said = await http.get(f"/pay/{token}")
    assert (said.status_code, english in said.text) == (status, True)
    said = await http.get(f"/pay/{token}", headers={"Accept-Language": "fr-FR,fr;q=0.9"})
    assert (said.status_code, french in said.text) == (status, True)


async def test_an_open_link_leads_to_the_provider(http: httpx.AsyncClient) -> None:
    led = await http.get("/pay/open")
    assert (led.status_code, led.headers["location"]) == (303, "https://provider.example/page")
    assert led.headers["cache-control"] == "no-store"
    assert (await http.get("/pay/no%20token")).status_code == 422
