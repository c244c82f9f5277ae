"""A gift card over REST: issued, asked about, paid with, given back; its code is nowhere but in the answer."""

from cli.client import Api
from cli.people import Buyer, Shop
from tests.stack import SharedStack

PATH = "/v1/stored-value"
SKU = "CBIB-CHENE"


def test_an_order_is_paid_with_a_gift_card_and_its_code_is_in_no_log(stack: SharedStack) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, "web-fr")
        body = {
            "kind": "gift_card",
            "amount": {"amount_minor": 500_000, "currency": "EUR"},
            "customer_ref": "c-4711",
            "reason": "sold",
        }
        card = api.post(PATH, "finance", body)
        content = shop.order_content([(SKU, 1)], Buyer(), payment={"stored_value_code": card["code"]})
        content["customer"]["customer_id"] = "c-4711"
        order = shop.place(content)
        total = content["total"]["amount_minor"]
        question = {"code": card["code"], "channel_id": "web-fr", "customer_ref": "c-4711"}
        assert api.post(f"{PATH}/check", "channel", question)["available"]["amount_minor"] == 500_000 - total
        shop.cancel(order["id"])
        shop.wait_status(order["id"], "cancelled")
        assert api.post(f"{PATH}/check", "channel", question)["available"]["amount_minor"] == 500_000
        moved = [line["act"] for line in api.rows(f"{PATH}/{card['id']}/movements", "finance")]
        assert moved == ["issue", "hold", "give_back"]
    plain = card["code"].replace("-", "")
    for file in stack.logs.iterdir():
        text = file.read_bytes()
        assert card["code"].encode() not in text
        assert plain.encode() not in text, file.name
