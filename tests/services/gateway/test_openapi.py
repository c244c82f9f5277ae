"""The published description: complete, with examples that hold."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import shelf_service_pb2 as shelf
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from oms.promise.v1 import ruleset_service_pb2 as rulesets
from oms.type.v1 import type_pb2 as types
from services.gateway import openapi as describing
from services.gateway.access import ACCESS, PUBLIC
from services.gateway.schemas.base import DeliveryMode
from services.gateway.schemas.network import PointType
from services.gateway.schemas.orders import Mode, OrderStatus
from services.gateway.schemas.payments import OperationKind, OperationState, PaymentStatus
from services.gateway.schemas.rulesets import Act, VersionState
from services.gateway.schemas.shelf import CountState, Ending, KnownReason
from services.gateway.schemas.work import FulfilmentStatus
from services.gateway.wire import enum_names
from services.orders.domain.model import DeliveryMode as OrderMode
from tests.services.gateway.bodies import examples


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema | {"components": document["components"]})


def test_every_rest_endpoint_is_described_with_its_rights(app: FastAPI) -> None:
    described = {(method, path): operation for method, path, operation in operations(app.openapi())}
    rest = {key for key in ACCESS if not key[1].startswith(("/console", "/docs", "/pay", "/track"))}
    assert set(described) == rest
    for key, operation in described.items():
        assert operation["summary"]
        assert operation["description"]
        assert ("security" in operation) == (ACCESS[key] is not PUBLIC)
        for role in ACCESS[key]:
            assert role in operation["description"]


def test_every_body_has_an_example_that_holds(app: FastAPI) -> None:
    document = app.openapi()
    for method, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found = examples(document, operation)
            assert found, f"{method} {path} has no example"
            for example in found:
                validator(document, content["schema"]).validate(example)


def test_every_example_of_a_schema_holds(app: FastAPI) -> None:
    document = app.openapi()
    checked = 0
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", []):
            validator(document, schema).validate(example)
            checked += 1
    assert checked > 10


def test_every_problem_is_described_as_one(app: FastAPI) -> None:
    for method, path, operation in operations(app.openapi()):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
        assert {"401", "403", "404", "422", "500", "503", "504"} <= set(operation["responses"])


async def test_others_are_served_while_it_is_made(
    app: FastAPI, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, others_served = threading.Event(), threading.Event()

    def describe(_: FastAPI) -> dict[str, Any]:
        begun.set()
        assert others_served.wait(30)
        return {"paths": {}}

    monkeypatch.setattr(app, "openapi_schema", None)
    monkeypatch.setattr(describing, "_describe", describe)
    reading = asyncio.create_task(http.get("/openapi.json"))
    assert await asyncio.to_thread(begun.wait, 30)
    assert (await http.get("/healthz")).status_code == 200
    others_served.set()
    assert (await reading).json() == {"paths": {}}


def test_no_schema_of_the_framework_is_left_over(app: FastAPI) -> None:
    assert "HTTPValidationError" not in app.openapi()["components"]["schemas"]


@pytest.mark.parametrize(
    ("names", "enum"),
    [
        (OrderStatus, orders.OrderState),
        (FulfilmentStatus, orders.FulfilmentState),
        (DeliveryMode, types.DeliveryMode),
        (PointType, types.PointType),
        (KnownReason, inventory.DeclarationReason),
        (Ending, inventory.DeclarationEnd),
        (CountState, shelf.CountState),
        (PaymentStatus, payments.PaymentStatus),
        (OperationKind, payments.OperationKind),
        (OperationState, payments.OperationState),
        (VersionState, rulesets.RulesetVersionState),
        (Act, rulesets.RulesetAct),
    ],
    ids=lambda value: getattr(getattr(value, "DESCRIPTOR", None), "name", ""),
)
def test_the_words_of_rest_are_those_of_the_protos(names: Any, enum: Any) -> None:
    assert set(get_args(names)) == enum_names(enum.DESCRIPTOR)


def test_an_order_is_placed_with_modes_that_orders_knows() -> None:
    assert set(get_args(Mode)) == set(OrderMode)
