"""Between the messages of MerchandisingService and the domain's values. No rules: an odd value is passed on."""

import json
from collections.abc import Mapping
from datetime import date
from typing import TypeVar

from google.protobuf.message import Message

from kit.errors import InvalidArgument
from kit.times import field_or_none, to_proto
from oms.inventory.v1 import merchandising_service_pb2 as pb
from services.inventory.domain import validation
from services.inventory.domain.facts import (
    Assortment,
    Content,
    Fact,
    FactKind,
    Location,
    Markdown,
    Outcome,
    Plan,
    Record,
    Result,
    SalesRate,
    Stated,
    plain,
)
from services.inventory.domain.ledger import Position
from services.inventory.domain.picks import Depth, FindRate
from services.inventory.domain.sales import Cover, NoCover, RateSource

M = TypeVar("M", bound=Message)

KINDS = {
    FactKind.ASSORTMENT: pb.FACT_KIND_ASSORTMENT,
    FactKind.PLAN: pb.FACT_KIND_PLAN,
    FactKind.MARKDOWN: pb.FACT_KIND_MARKDOWN,
    FactKind.SALES_RATE: pb.FACT_KIND_SALES_RATE,
    FactKind.LOCATION: pb.FACT_KIND_LOCATION,
}
DEPTHS = {
    Depth.ONE: pb.DEPTH_ONE,
    Depth.TWO: pb.DEPTH_TWO,
    Depth.THREE_TO_FIVE: pb.DEPTH_THREE_TO_FIVE,
    Depth.SIX_OR_MORE: pb.DEPTH_SIX_OR_MORE,
}
_DEPTHS_IN = {number: depth for depth, number in DEPTHS.items()}
OUTCOMES = {
    Outcome.CHANGED: pb.FACTS_OUTCOME_CHANGED,
    Outcome.UNCHANGED: pb.FACTS_OUTCOME_UNCHANGED,
    Outcome.STALE: pb.FACTS_OUTCOME_STALE,
}
SOURCES = {
    None: pb.RATE_SOURCE_UNSPECIFIED,
    RateSource.IMPORTED: pb.RATE_SOURCE_IMPORTED,
    RateSource.COMPUTED: pb.RATE_SOURCE_COMPUTED,
}
NO_COVERS = {
    None: pb.NO_COVER_UNSPECIFIED,
    NoCover.NO_SALES: pb.NO_COVER_NO_SALES,
    NoCover.NO_RATE: pb.NO_COVER_NO_RATE,
}


# -- facts ------------------------------------------------------------------------------------------------


def record_in(message: pb.PositionFacts, field: str) -> Record:
    """From the wire. `field` is its place in the request."""
    return Record(
        Position(message.sku, message.point_id),
        {kind: _content_in(message, kind, f"{field}.{kind}") for kind in FactKind if message.HasField(kind.value)},
        message.source,
        message.source_sequence,
        field_or_none(message, "source_updated_at"),
    )


def _content_in(message: pb.PositionFacts, kind: FactKind, field: str) -> Content | None:
    said = _without_author(getattr(message, kind.value))
    match said:
        case pb.Assortment() if said.HasField("in_assortment"):
            return Assortment(said.in_assortment)
        case pb.SalesRate() if said.HasField("daily_thousandths"):
            return SalesRate(said.daily_thousandths)
        case pb.ShelfLocation() if said != pb.ShelfLocation():
            return Location(said.location, said.walk_order)
        case pb.ReplenishmentPlan() if said != pb.ReplenishmentPlan():
            if not said.HasField("is_replenished"):
                raise InvalidArgument(f"{field}.is_replenished", "it is needed")
            next_date = _date_in(said.next_date, f"{field}.next_date") if said.next_date else None
            return Plan(said.is_replenished, said.min_quantity, said.target_quantity, next_date)
        case pb.Markdown() if said != pb.Markdown():
            basis_points = said.basis_points if said.HasField("basis_points") else None
            return Markdown(_date_in(said.from_date, f"{field}.from_date"), basis_points)
    return None


def _without_author(said: M) -> M:
    """What was answered may be sent back: who said it then is not what it says."""
    bare = type(said)()
    bare.CopyFrom(said)
    bare.ClearField("stated")
    return bare


def _date_in(value: str, field: str) -> date:
    if not validation.is_date(value):
        raise InvalidArgument(field, "not a date of ISO 8601, for example 2027-01-02")
    return date.fromisoformat(value)


def facts_out(position: Position, known: Mapping[FactKind, Fact]) -> pb.PositionFacts:
    """To the wire."""
    found = pb.PositionFacts(sku=position.sku, point_id=position.point_id)
    for kind, fact in known.items():
        said = getattr(found, kind.value)
        said.stated.CopyFrom(_stated_out(fact.stated))
        if fact.content is not None:
            for name, value in plain(fact.content).items():
                setattr(said, name, value)
    return found


def _stated_out(stated: Stated) -> pb.Stated:
    return pb.Stated(
        source=stated.source,
        source_sequence=stated.source_sequence,
        source_updated_at=to_proto(stated.source_updated_at) if stated.source_updated_at else None,
        actor=stated.actor,
        recorded_at=to_proto(stated.recorded_at),
    )


def result_out(result: Result) -> pb.FactsResult:
    """To the wire."""
    return pb.FactsResult(
        sku=result.position.sku,
        point_id=result.position.point_id,
        outcome=OUTCOMES[result.outcome],
        dropped=[KINDS[kind] for kind in result.dropped],
    )


def version_out(fact: Fact) -> pb.FactVersion:
    """To the wire."""
    return pb.FactVersion(
        kind=KINDS[fact.key.kind],
        version=fact.version,
        content_json="" if fact.content is None else json.dumps(plain(fact.content)),
        stated=_stated_out(fact.stated),
    )


# -- figures ----------------------------------------------------------------------------------------------


def cover_out(found: Cover) -> pb.Cover:
    """To the wire."""
    return pb.Cover(
        sku=found.sku,
        point_id=found.point_id,
        available=found.available,
        daily_thousandths=found.daily_thousandths,
        rate_source=SOURCES[found.rate_source],
        cover_days_tenths=found.cover_days_tenths,
        no_cover=NO_COVERS[found.no_cover],
        sold=found.sold,
        days=found.days,
    )


def depth_in(number: "pb.Depth.ValueType", field: str) -> Depth:
    """From the wire."""
    if number not in _DEPTHS_IN:
        raise InvalidArgument(field, "not a depth")
    return _DEPTHS_IN[number]


def find_rate_out(found: FindRate) -> pb.FindRate:
    """To the wire."""
    return pb.FindRate(
        point_id=found.point_id,
        depth=DEPTHS[found.depth],
        found=found.tally.found,
        asked=found.tally.asked,
        rate_basis_points=found.basis_points,
    )
