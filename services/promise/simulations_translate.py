"""Between the protos of simulations and the domain. Translates, never judges."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial

from kit import times
from kit.errors import InvalidArgument
from oms.promise.v1 import promise_service_pb2 as promise_pb
from oms.promise.v1 import simulation_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.promise.domain import compared as c
from services.promise.domain import simulations as s
from services.promise.domain.network import Destination
from services.promise.domain.rulesets import Ruleset
from services.promise.rulesets import Content
from services.promise.rulesets_translate import ruleset_in, ruleset_out
from services.promise.simulations import DraftOf
from services.promise.translate import MODES, MODES_BACK, POINT_TYPES_BACK

_STATES = {
    s.State.RECEIVED: pb.SIMULATION_STATE_RECEIVED,
    s.State.RUNNING: pb.SIMULATION_STATE_RUNNING,
    s.State.DONE: pb.SIMULATION_STATE_DONE,
    s.State.FAILED: pb.SIMULATION_STATE_FAILED,
    s.State.CANCELLED: pb.SIMULATION_STATE_CANCELLED,
    s.State.INTERRUPTED: pb.SIMULATION_STATE_INTERRUPTED,
}
_STOCKS = {
    pb.SIMULATION_STOCK_RECORDED: s.StockSource.RECORDED,
    pb.SIMULATION_STOCK_PRESENT: s.StockSource.PRESENT,
    pb.SIMULATION_STOCK_FILE: s.StockSource.FILE,
}
_STOCKS_BACK = {source: number for number, source in _STOCKS.items()}


# -- requests -------------------------------------------------------------------------------------------------


def to_candidate(setup: pb.SimulationSetup) -> Content | DraftOf:
    """What is compared with the ruleset in force."""
    match setup.WhichOneof("candidate"):
        case "ruleset":
            return ruleset_in(setup.ruleset)
        case "text":
            return setup.text
        case "draft_of":
            return DraftOf(setup.draft_of)
        case _:
            raise InvalidArgument(
                "ruleset", "ruleset: what is to be compared with the ruleset in force is required"
            )


def setup_with(setup: pb.SimulationSetup) -> Callable[[Ruleset], s.Setup]:
    """What to simulate, but for the ruleset."""
    if setup.stock not in _STOCKS:
        raise InvalidArgument("stock", "stock: recorded, present or file")
    return partial(
        s.Setup,
        stock=_STOCKS[setup.stock],
        name=setup.name,
        from_at=times.field_or_none(setup, "from_at"),
        until_at=times.field_or_none(setup, "until_at"),
        max_orders=setup.max_orders,
        orders=_to_orders(setup.orders) if setup.HasField("orders") else None,
        stock_file_id=setup.stock_file_id,
        deplete=setup.deplete,
        assumed_items=_to_assumed(setup.assumed_items) if setup.HasField("assumed_items") else None,
        listed_orders=setup.listed_orders or s.DEFAULT_LISTED,
    )


def create_content(request: pb.CreateSimulationRequest) -> bytes:
    """What makes two requests the same: everything but the id."""
    content = pb.CreateSimulationRequest()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return content.SerializeToString(deterministic=True)


def _to_orders(orders: pb.OrdersFile) -> s.OrdersFile:
    if orders.mode not in MODES:
        raise InvalidArgument("orders.mode", "orders.mode: a delivery mode is required")
    columns = orders.columns
    return s.OrdersFile(
        file_id=orders.file_id,
        channel_id=orders.channel_id,
        mode=MODES[orders.mode],
        columns=s.OrderColumns(
            columns.order, columns.sku, columns.quantity, columns.placed_at, columns.country, columns.postcode
        ),
        destinations=tuple(
            s.NamedDestination(one.name, Destination(one.destination.country, one.destination.postcode))
            for one in orders.destinations
        ),
        time_zone=orders.time_zone or "UTC",
        date_format=orders.date_format,
        delimiter=orders.delimiter or ",",
        encoding=orders.encoding or "utf-8",
        not_articles=tuple(orders.not_articles),
    )


def _to_assumed(assumed: pb.AssumedItems) -> s.AssumedItems:
    return s.AssumedItems(assumed.weight_grams, assumed.units, assumed.percent, assumed.seed)


# -- answers --------------------------------------------------------------------------------------------------


def file_proto(file: s.StoredFile) -> pb.SimulationFile:
    """A file that is kept."""
    return pb.SimulationFile(file_id=file.file_id, file_name=file.file_name, gzip=file.gzip, bytes=file.bytes)


def simulation_proto(simulation: s.Simulation) -> pb.Simulation:
    """A job, with its result if it is at hand."""
    told = pb.Simulation(
        simulation_id=simulation.simulation_id,
        setup=_setup(simulation.setup),
        live=ruleset_out(simulation.live),
        actor=simulation.actor,
        state=_STATES[simulation.state],
        reason=simulation.reason,
        detail=simulation.detail,
        planned=simulation.planned,
        total=simulation.total,
        received_at=times.to_proto(simulation.received_at),
        started_at=times.to_proto(simulation.started_at) if simulation.started_at else None,
        ended_at=times.to_proto(simulation.ended_at) if simulation.ended_at else None,
    )
    if simulation.result is not None:
        told.result.CopyFrom(_result(simulation.result))
    return told


def _setup(setup: s.Setup) -> pb.SimulationSetup:
    return pb.SimulationSetup(
        name=setup.name,
        ruleset=ruleset_out(setup.candidate),
        from_at=times.to_proto(setup.from_at) if setup.from_at else None,
        until_at=times.to_proto(setup.until_at) if setup.until_at else None,
        max_orders=setup.max_orders,
        orders=_orders(setup.orders) if setup.orders else None,
        stock=_STOCKS_BACK[setup.stock],
        stock_file_id=setup.stock_file_id,
        deplete=setup.deplete,
        assumed_items=_assumed(setup.assumed_items) if setup.assumed_items else None,
        listed_orders=setup.listed_orders,
    )


def _orders(orders: s.OrdersFile) -> pb.OrdersFile:
    columns = orders.columns
    return pb.OrdersFile(
        file_id=orders.file_id,
        channel_id=orders.channel_id,
        mode=MODES_BACK[orders.mode],
        columns=pb.OrderColumns(
            order=columns.order,
            sku=columns.sku,
            quantity=columns.quantity,
            placed_at=columns.placed_at,
            country=columns.country,
            postcode=columns.postcode,
        ),
        destinations=[
            pb.NamedDestination(
                name=one.name,
                destination=type_pb2.Destination(
                    country=one.destination.country, postcode=one.destination.postcode
                ),
            )
            for one in orders.destinations
        ],
        time_zone=orders.time_zone,
        date_format=orders.date_format,
        delimiter=orders.delimiter,
        encoding=orders.encoding,
        not_articles=orders.not_articles,
    )


def _assumed(assumed: s.AssumedItems) -> pb.AssumedItems:
    return pb.AssumedItems(
        weight_grams=assumed.weight_grams, units=assumed.units, percent=assumed.percent, seed=assumed.seed
    )


def _result(result: c.Result) -> pb.SimulationResult:
    like = result.like_for_like
    return pb.SimulationResult(
        orders=result.orders,
        lines=result.lines,
        units=result.units,
        live=_figures(result.live),
        candidate=_figures(result.candidate),
        changed_orders=result.changed_orders,
        like_for_like=pb.LikeForLike(
            orders=like.orders,
            live_real_cost_minor=like.live_real_cost_minor,
            candidate_real_cost_minor=like.candidate_real_cost_minor,
            live_parcels=like.live_parcels,
            candidate_parcels=like.candidate_parcels,
        ),
        points=[
            pb.PointLoad(
                point_id=point.point_id,
                point_type=POINT_TYPES_BACK[point.point_type],
                live=_load(point.live),
                candidate=_load(point.candidate),
            )
            for point in result.points
        ],
        point_types=[
            pb.PointTypeLoad(
                point_type=POINT_TYPES_BACK[one.point_type], live=_load(one.live), candidate=_load(one.candidate)
            )
            for one in result.point_types
        ],
        changed=[_changed(order) for order in result.changed],
        only_live=[_changed(order) for order in result.only_live],
        only_candidate=[_changed(order) for order in result.only_candidate],
        only_live_orders=result.only_live_orders,
        only_candidate_orders=result.only_candidate_orders,
        skipped=_counts(result.skipped),
        notes=result.notes,
        as_recorded_orders=result.as_recorded_orders,
        has_days=result.has_days,
        live_promise_days=_bars(result.live_promise_days),
        candidate_promise_days=_bars(result.candidate_promise_days),
        live_parcels=_bars(result.live_parcels),
        candidate_parcels=_bars(result.candidate_parcels),
    )


def _figures(figures: c.Figures) -> pb.SimulationFigures:
    return pb.SimulationFigures(
        whole_orders=figures.whole_orders,
        partial_orders=figures.partial_orders,
        unshipped_orders=figures.unshipped_orders,
        units_shipped=figures.units_shipped,
        units_not_shipped=figures.units_not_shipped,
        not_shipped=_counts(figures.not_shipped),
        parcels=figures.parcels,
        split_orders=figures.split_orders,
        real_cost_minor=figures.real_cost_minor,
        shipping_minor=figures.shipping_minor,
        preparation_minor=figures.preparation_minor,
        objective_minor=figures.objective_minor,
        objective=[
            promise_pb.CostComponent(name=cost.name, amount_minor=cost.amount_minor) for cost in figures.objective
        ],
        promise_days=_spread(figures.promise_days),
        parcels_per_order=_spread(figures.parcels_per_order),
        carbon_grams_co2e=figures.carbon_grams_co2e,
        carbon_factors=figures.carbon_factors,
        late_orders=figures.late_orders,
        not_proved_orders=figures.not_proved_orders,
    )


def _spread(spread: c.Spread) -> pb.Spread:
    return pb.Spread(mean=spread.mean, p50=spread.p50, p95=spread.p95, max=spread.max)


def _load(load: c.Load) -> pb.Load:
    return pb.Load(
        parcels=load.parcels,
        units=load.units,
        busiest_day=_day(load.busiest_day),
        busiest_day_parcels=load.busiest_day_parcels,
        days=[pb.DayLoad(day=_day(one.day), parcels=one.parcels, units=one.units) for one in load.days],
    )


def _changed(order: c.ChangedOrder) -> pb.ChangedOrder:
    return pb.ChangedOrder(
        order_id=order.order_id,
        placed_at=times.to_proto(order.placed_at),
        live=_planned(order.live),
        candidate=_planned(order.candidate),
        difference_minor=order.difference_minor,
    )


def _planned(planned: c.PlannedOrder) -> pb.PlannedOrder:
    return pb.PlannedOrder(
        legs=[
            pb.PlannedLeg(
                point_id=leg.point_id,
                carrier_id=leg.carrier_id,
                service_id=leg.service_id,
                units=leg.units,
                parcels=leg.parcels,
                via_point_id=leg.via_point_id,
            )
            for leg in planned.legs
        ],
        units_not_shipped=planned.units_not_shipped,
        real_cost_minor=planned.real_cost_minor,
        shipping_minor=planned.shipping_minor,
        preparation_minor=planned.preparation_minor,
        objective_minor=planned.objective_minor,
        window_end=times.to_proto(planned.window_end) if planned.window_end else None,
        promise_days=planned.promise_days,
        carbon_grams_co2e=planned.carbon_grams_co2e,
    )


def _counts(counts: Iterable[c.ReasonCount]) -> list[pb.ReasonCount]:
    return [pb.ReasonCount(reason=one.reason, count=one.count) for one in counts]


def _bars(bars: Iterable[c.Bar]) -> list[pb.Bar]:
    return [pb.Bar(value=bar.value, orders=bar.orders) for bar in bars]


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
