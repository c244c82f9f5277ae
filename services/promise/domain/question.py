"""A question in numbers for the search, and what the search found as plans."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from services.promise.domain import carbon, together
from services.promise.domain.candidates import Candidate, Gatherer
from services.promise.domain.filling import Filling, filling_by_weight, filling_of
from services.promise.domain.found import Found
from services.promise.domain.grid import Demand, Row
from services.promise.domain.ground import Ground
from services.promise.domain.levels import boxless
from services.promise.domain.lines import LineFiller
from services.promise.domain.modes import TERMS, Appointments
from services.promise.domain.network import PlanRequest, StockSlice
from services.promise.domain.offers import Offer
from services.promise.domain.plans import CostComponent, Leg, Plan
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.shelves import NO_UNIT_COSTS
from services.promise.domain.snapshot import Place, Snapshot, place_of
from services.promise.domain.stages import NOW
from services.promise.domain.tariffs import Tariff, parcels_of
from services.promise.domain.together import Article


def asked(snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset) -> "Question | str":
    """The question; or the reason that it cannot be asked."""
    terms = TERMS[request.mode]
    if terms.appointments is Appointments.NEEDED and request.appointment is None:
        return "NO_APPOINTMENT"
    place = place_of(snapshot, request)
    if isinstance(place, str):
        return place
    wanted = wanted_units(snapshot.stock, request)
    if not wanted:
        return "UNKNOWN_ITEM"
    if terms.is_one_parcel:
        ruleset = replace(ruleset, max_parcels=1)
    return Question(snapshot, request, ruleset, place, wanted)


def wanted_units(stock: StockSlice, request: PlanRequest) -> dict[str, int]:
    """Of a basket, by SKU, as far as its articles are known."""
    wanted: dict[str, int] = {}
    for line in request.lines:
        if line.sku in stock.items:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


class Question:
    """What is wanted, article by article. What must travel together is one article. `wanted`: units by SKU."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        place: Place,
        wanted: Mapping[str, int],
    ) -> None:
        self.snapshot = snapshot
        self.request = request
        self.ruleset = ruleset
        self.place = place
        self.wanted = wanted
        self._items = items = snapshot.stock.items
        self.articles = articles = together.articles(items, wanted, ruleset.together_tags)
        # What is sent as it is, is priced by the unit: of weight that is put together it has none.
        alone = boxless(items, wanted, snapshot.boxes_in(ruleset.currency))
        weights = [
            sum(items[sku].weight_grams * each for sku, each in article.units_each.items() if sku not in alone)
            for article in articles
        ]
        values = [
            sum(
                items[sku].price_minor(request.channel_id, ruleset.currency) * each
                for sku, each in article.units_each.items()
            )
            for article in articles
        ]
        self.whole = Demand(
            skus=tuple(article.name for article in articles),
            weights=tuple(weights),
            values=tuple(values),
            units=tuple(article.wanted for article in articles),
        )
        self._no_costs = (0,) * len(articles)
        self._pieces: dict[int, tuple[int, ...]] = {}
        self._fillings: dict[int, Filling] = {}

    def gatherer(self, ground: Ground | None = None) -> Gatherer:
        """Of its candidates. `ground`: of other questions about the basket."""
        return Gatherer(self.snapshot, self.request, self.ruleset, self.wanted, self.place, ground)

    def row(self, candidate: Candidate) -> Row:
        """A candidate with all that it could take."""
        pieces = self._pieces.get(id(candidate.capacity))
        if pieces is None:  # Mostly all services of a point take the same.
            pieces = self._pieces[id(candidate.capacity)] = self._pieces_of(candidate.capacity)
        costs, tariff = candidate.unit_costs, candidate.tariff
        return Row(
            candidate,
            pieces,
            tuple([self._unit_cost(article, candidate) for article in self.articles])
            if costs or (tariff is not None and tariff.own)
            else self._no_costs,
            self._filling(tariff) if tariff is not None else None,
        )

    def fillings(self, offers: Sequence[Offer]) -> list[Filling] | None:
        """What parcels of services take; None where weight alone decides for each."""
        if all(offer.tariff is None for offer in offers):
            return None
        weights = np.array(self.whole.weights, np.int64)
        return [
            self._filling(offer.tariff) if offer.tariff else filling_by_weight(offer.steps, weights)
            for offer in offers
        ]

    def _filling(self, tariff: Tariff) -> Filling:
        if id(tariff) not in self._fillings:
            self._fillings[id(tariff)] = filling_of(tariff, [article.units_each for article in self.articles])
        return self._fillings[id(tariff)]

    def _pieces_of(self, units: Mapping[str, int]) -> tuple[int, ...]:
        return tuple([article.pieces(units) for article in self.articles])

    def kept_back(self, row: Row) -> Row:
        """Without what the routing buffer keeps."""
        kept = row.candidate.kept_back
        if not kept:
            return row
        left = {sku: units - kept.get(sku, 0) for sku, units in row.candidate.capacity.items()}
        candidate = row.candidate
        if candidate.stage is not NOW:  # What is kept back is on the shelf: units to come are taken instead.
            candidate = replace(candidate, capacity=left, kept_back={})
        return Row(candidate, self._pieces_of(left), row.unit_costs, row.filling)

    def _unit_cost(self, article: Article, candidate: Candidate) -> int:
        return sum(candidate.unit_cost(sku) * each for sku, each in article.units_each.items())

    def demand(self, rows: Sequence[Row]) -> Demand:
        """What is wanted, as far as there is anything of it to send. Of a point the roomiest candidate counts."""
        points = {row.candidate.point.point_id: 0 for row in rows}
        numbers = {point_id: number for number, point_id in enumerate(points)}
        roomiest = np.zeros((len(points), len(self.articles)), np.int64)
        capacity = np.array([row.capacity for row in rows], np.int64).reshape(len(rows), len(self.articles))
        np.maximum.at(roomiest, [numbers[row.candidate.point.point_id] for row in rows], capacity)
        reachable = roomiest.sum(axis=0)
        return self.whole.only(np.minimum(self.whole.units, reachable).tolist())

    def units(self, pieces: Sequence[int]) -> dict[str, int]:
        """Units by SKU of so many of each article."""
        return {
            sku: count * each
            for article, count in zip(self.articles, pieces, strict=True)
            for sku, each in article.units_each.items()
        }

    def plan(self, found: Found) -> Plan:
        """What was found, in legs and order lines."""
        lines = LineFiller(self.request.lines)
        pairs = sorted(zip(found.legs, found.shares, strict=True), key=lambda pair: pair[0].id)
        taken = [(candidate, self.units(share)) for candidate, share in pairs]
        legs = tuple(self._leg(candidate, units, lines) for candidate, units in taken)
        return Plan(
            legs=legs,
            window=found.window,
            order_before=found.order_before,
            total_cost_minor=found.cost,
            costs=self._costs(taken, found),
            carbon=carbon.total(leg.carbon for leg in legs),
            price=max((c.terms.customer_price for c in found.legs), key=lambda money: money.amount_minor),
        )

    def _costs(
        self, taken: Sequence[tuple[Candidate, Mapping[str, int]]], found: Found
    ) -> tuple[CostComponent, ...]:
        units = [
            (candidate.unit_costs.get(sku, NO_UNIT_COSTS), count)
            for candidate, share in taken
            for sku, count in share.items()
        ]
        sent = [parcels_of(candidate, self._items, share) for candidate, share in taken]
        packaging = sum(parcels.packaging_minor for parcels in sent)
        amounts = {
            "shipping": sum(parcels.cost_minor for parcels in sent) - packaging,
            "packaging": packaging,
            "preparation": sum(c.preparation_cost for c, _ in taken),
            "split": (len(taken) - 1) * self.ruleset.split_cost_minor,
            "distance": sum(c.distance_cost for c, _ in taken),
            "lateness": max(c.lateness_cost for c, _ in taken),
            "priority": sum(c.priority_cost for c, _ in taken),
            "capacity": sum(c.capacity_cost for c, _ in taken),
            "waiting": sum(c.waiting_cost for c, _ in taken),
            "low_cover": sum(cost.low_cover * count for cost, count in units),
            "markdown": sum(cost.markdown * count for cost, count in units),
            "short_pick": sum(cost.short_pick * count for cost, count in units),
        }
        return tuple(
            CostComponent(name, amount) for name, amount in amounts.items() if amount or name in _ALWAYS_TOLD
        )

    def _leg(self, candidate: Candidate, units: Mapping[str, int], lines: LineFiller) -> Leg:
        parcels = parcels_of(candidate, self._items, units)
        later = candidate.next_hand_over()
        parts = [
            (sku, *part)
            for sku, count in units.items()
            for part in candidate.stage.parts(sku, count, candidate.capacity.get(sku, 0))
        ]
        releases = candidate.stage.releases
        return Leg(
            point_id=candidate.point.point_id,
            carrier_id=candidate.carrier_id,
            service_id=candidate.service.service_id,
            lines=tuple(
                line
                for sku, count, delivery in parts
                for line in lines.take(sku, count, delivery.supply_id if delivery else "")
            ),
            window=candidate.window,
            hand_over_by=candidate.hand_over.at,
            weight_grams=parcels.weight_grams,
            shipping_cost_minor=parcels.billed_minor,
            carbon=carbon.of_parcel(candidate.service, parcels.weight_grams, candidate.distance_kilometres),
            distance_kilometres=candidate.distance_kilometres,
            parcels=parcels.count,
            chargeable_grams=parcels.chargeable_grams,
            boxes=parcels.boxes,
            packaging_cost_minor=parcels.packaging_minor,
            prepared_on=candidate.prepared_on,
            collected_on=candidate.hand_over.day,
            cut_off_minute=candidate.hand_over.cut_off_minute,
            latest_start=candidate.latest_start,
            next_hand_over_by=later[0].at if later else None,
            next_window=later[1] if later else None,
            waits_until=max((delivery.due_at for _, _, delivery in parts if delivery), default=None),
            release_date=max((releases[sku].date for sku, _, _ in parts if sku in releases), default=None),
            hand_over_from=max((releases[sku].at for sku, _, _ in parts if sku in releases), default=None),
        )


# The others are only told when they are not 0.
_ALWAYS_TOLD = frozenset({"shipping", "preparation", "split", "distance", "lateness"})
