"""A right body for each endpoint, so that a test may ask any of them."""

from typing import Any

from fastapi import FastAPI

PARAMETERS = {
    "order_id": "ord_" + "0" * 32,
    "channel_id": "web-fr",
    "point_id": "store-lyon",
    "fulfilment_id": "ful_1",
    "refund_id": "rfd_1",
    "pick_list_id": "pkl_1",
    "manifest_id": "man_1",
    "hold_id": "hld_1",
    "notification_id": "ntf_1",
    "carrier_id": "colisvite",
    "life_cycle_id": "default",
    "change_id": "chg_1",
    "customer_id": "c-1",
    "bulk_id": "blk_1",
    "provider": "stripe",
    "endpoint_id": "end_1",
    "system_id": "wms-orleans",
    "alert_id": "alt_1",
    "lane_id": "lyon-paris",
    "transfer_id": "trf_1",
    "pause_id": "pau_1",
    "declaration_id": "dec_1",
    "report_id": "adj_1",
    "count_id": "cnt_1",
    "delivery_id": "po-4711-1",
    "job_id": "imp_1",
    "basket_id": "cart-1",
    "ruleset_id": "default",
    "version": "1",
    "simulation_id": "sim_1",
    "decision_id": "dec_1",
    "task_id": "ptk_1",
    "token": "open",
    "settlement_id": "stl_1",
    "difference_id": "sdf_1",
    "instrument_id": "svl_1",
    "pattern_id": "lyon-morning",
    "slot_id": "lyon-morning.20261207",
    "booking_id": "bkg_1",
    "number": "WEB-FR-INV-2026-000001",
}
QUERIES = {
    ("GET", "/v1/channels/{channel_id}/availability"): "?sku=SKU-1",
    ("GET", "/v1/channels/{channel_id}/image"): "?sku=SKU-1",
    ("GET", "/v1/setting-versions"): "?kind=item&key=SKU-1",
    ("GET", "/v1/stock/movements"): "?sku=SKU-1",
    ("GET", "/v1/channels/{channel_id}/future-availability"): "?sku=SKU-1",
    ("GET", "/v1/merchandising/facts/versions"): "?sku=SKU-1&point_id=store-lyon",
    ("GET", "/v1/payment-operations/export"): "?format=csv",
    ("GET", "/console/finance/export"): "?format=csv",
    ("GET", "/v1/payment-totals"): "?from=2026-11-01&until=2026-12-01",
    ("POST", "/v1/settlements"): "?provider=stripe&day=2026-11-20",
    ("POST", "/v1/stock/imports"): (
        "?kind=snapshot&absent=keep&point_id=store-lyon&effective_at=2026-11-20T06:00:00Z"
    ),
}


def examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    """The examples of an operation's body, its own or those of its schema."""
    found = []
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found += [one["value"] for one in content.get("examples", {}).values()]
        schema = content["schema"]
        for candidate in (schema, *schema.get("anyOf", [])):
            name = candidate.get("$ref", "").rpartition("/")[2]
            if name:
                found += document["components"]["schemas"][name].get("examples", [])
    return found


def request_of(app: FastAPI, method: str, path: str) -> tuple[str, dict[str, Any]]:
    """An address and options of httpx that make a right request to the endpoint."""
    document = app.openapi()
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    options: dict[str, Any] = {"headers": {"Idempotency-Key": "key-1"}}
    if body := examples(document, operation):
        media_type = next(iter(operation["requestBody"]["content"]))
        if "json" in media_type:
            options["json"] = body[0]
        else:
            options["content"] = body[0]
            options["headers"]["Content-Type"] = media_type
    return path.format(**PARAMETERS) + QUERIES.get((method, path), ""), options
