"""The life of a ruleset: a draft, published versions, which of them is in force, and who changed what and why.

Published versions never change. Which one judges depends on the instant of the question alone, never on when or
where it is asked, so that every process answers alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from kit.errors import Conflict, Fact, FailedPrecondition, InvalidArgument, NotFound
from services.promise.domain.network import PointType
from services.promise.domain.rulesets import PreparationCost, PriorityCost, Ruleset

C = TypeVar("C", PreparationCost, PriorityCost)


class State(StrEnum):
    """Where a version stands at an instant."""

    SCHEDULED = "scheduled"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What was done to a ruleset."""

    SAVED = "saved"
    DISCARDED = "discarded"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Edit:
    """Who acts on a ruleset, why, and what its author has seen: the revision; None where that does not matter."""

    ruleset_id: str
    revision: int | None
    actor: str
    reason: str
    as_of: datetime
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who took a version back before it became effective."""

    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Version:
    """A published ruleset. `restored`: the version whose content it is, if it was made by rolling back, else 0."""

    ruleset: Ruleset
    effective_at: datetime
    published_at: datetime
    published_by: str
    reason: str
    restored: int = 0
    withdrawal: Withdrawal | None = None

    @property
    def number(self) -> int:
        """1 is the first."""
        return self.ruleset.version

    @property
    def is_scheduled(self) -> bool:
        """Whether it was published for a later instant."""
        return self.effective_at > self.published_at


@dataclass(frozen=True, slots=True)
class Draft:
    """What is being worked on. The version of its ruleset is 0."""

    ruleset: Ruleset
    saved_at: datetime
    saved_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One act with what was before and after it; None where there was nothing.

    A save is against the draft before it or what was in force; a publication or withdrawal against what would have
    been in force at `effective_at`. `version` is 0 for drafts.
    """

    revision: int
    act: Act
    at: datetime
    actor: str
    reason: str
    before: Ruleset | None
    after: Ruleset | None
    version: int = 0
    effective_at: datetime | None = None
    restored: int = 0


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A ruleset as it stands. `revision` is the number of its last change, 0 before the first."""

    ruleset_id: str
    revision: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None
    versions: tuple[Version, ...] = ()
    draft: Draft | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever saved or published."""
        return self.revision > 0

    def in_force(self, at: datetime) -> Version | None:
        """What judges a question of this instant."""
        return in_force(self.versions, at)

    def scheduled(self, at: datetime) -> tuple[Version, ...]:
        """What becomes effective later, soonest first."""
        later = [one for one in self.versions if one.withdrawal is None and one.effective_at > at]
        return tuple(sorted(later, key=_order))

    def live(self, at: datetime) -> tuple[Version, ...]:
        """What judges questions of this instant and later."""
        now = self.in_force(at)
        return ((now,) if now else ()) + self.scheduled(at)

    def version(self, number: int) -> Version:
        """NOT_FOUND / VERSION_NOT_FOUND."""
        for one in self.versions:
            if one.number == number:
                return one
        raise NotFound(
            "VERSION_NOT_FOUND",
            f"ruleset {self.ruleset_id} has no version {number}",
            ruleset_id=self.ruleset_id,
            version=number,
        )

    def state(self, version: Version, at: datetime) -> State:
        """Where one of its versions stands."""
        if version.withdrawal is not None:
            return State.WITHDRAWN
        if version == self.in_force(at):
            return State.IN_FORCE
        return State.SCHEDULED if version.effective_at > at else State.SUPERSEDED

    def the_draft(self) -> Draft:
        """NOT_FOUND / NO_DRAFT."""
        if self.draft is None:
            raise NotFound("NO_DRAFT", f"ruleset {self.ruleset_id} has no open draft", ruleset_id=self.ruleset_id)
        return self.draft

    def check_seen(self, revision: int | None) -> None:
        """Raises Conflict / RULESET_CHANGED when somebody changed it since. None: it does not matter."""
        if revision is None or revision == self.revision:
            return
        if not self.exists:
            detail = f"there is no ruleset {self.ruleset_id} yet: its revision is 0, not {revision}"
        else:
            detail = (
                f"ruleset {self.ruleset_id} was changed since revision {revision}: revision {self.revision} is by "
                f"{self.changed_by}, of {self.changed_at:%Y-%m-%d %H:%M:%S %Z}; look at it and act again"
            )
        raise Conflict(
            "RULESET_CHANGED",
            detail,
            field="revision",
            ruleset_id=self.ruleset_id,
            revision=self.revision,
            changed_by=self.changed_by,
        )


Rulebooks = Mapping[str, Rulebook]


def in_force(versions: Sequence[Version], at: datetime) -> Version | None:
    """The version that became effective last; before the first one, that, unless it was scheduled."""
    standing = [one for one in versions if one.withdrawal is None]
    effective = [one for one in standing if one.effective_at <= at]
    if effective:
        return max(effective, key=_order)
    # A question about a time in which nobody had written the rules down.
    first = min(standing, key=_order, default=None)
    return None if first is None or first.is_scheduled else first


def _order(version: Version) -> tuple[datetime, int]:
    return version.effective_at, version.number


def effective_from(asked: datetime | None, as_of: datetime) -> datetime:
    """When a publication becomes effective: now unless an instant is given, which lies not in the past."""
    if asked is not None and asked < as_of:
        raise InvalidArgument("effective_at", "effective_at: must not be in the past")
    return asked or as_of


def check_differs(ruleset: Ruleset, standing: Version | None, book: Rulebook) -> None:
    """Raises FailedPrecondition / NOTHING_TO_PUBLISH when `standing` has the same figures."""
    if standing is not None and same_figures(ruleset, standing.ruleset):
        raise FailedPrecondition(
            "NOTHING_TO_PUBLISH",
            f"version {standing.number}, which will be in force then, has the same figures",
            ruleset_id=book.ruleset_id,
            version=standing.number,
        )


def same_figures(one: Ruleset, other: Ruleset) -> bool:
    """Whether they differ in their version at most."""
    return numbered(one, 0) == numbered(other, 0)


def numbered(ruleset: Ruleset, version: int) -> Ruleset:
    """The same figures, each in its one way: costs by type of point without zeros, no negative zero."""
    return replace(
        ruleset,
        version=version,
        preparation_costs=_in_order(ruleset.preparation_costs),
        priority_costs=_in_order(ruleset.priority_costs),
        distance_cost_minor_per_kilometre=ruleset.distance_cost_minor_per_kilometre + 0.0,
    )


def _in_order(costs: Sequence[C]) -> tuple[C, ...]:
    types = list(PointType)
    return tuple(sorted((one for one in costs if one.cost_minor), key=lambda one: types.index(one.point_type)))


def check_withdrawable(version: Version, book: Rulebook, at: datetime) -> None:
    """Raises FailedPrecondition / VERSION_WITHDRAWN, VERSION_EFFECTIVE."""
    facts: dict[str, Fact] = {"ruleset_id": book.ruleset_id, "version": version.number}
    if version.withdrawal is not None:
        raise FailedPrecondition("VERSION_WITHDRAWN", f"version {version.number} was withdrawn before", **facts)
    if version.effective_at <= at:
        raise FailedPrecondition(
            "VERSION_EFFECTIVE",
            f"version {version.number} is effective since {version.effective_at:%Y-%m-%d %H:%M:%S %Z}: roll back "
            "to another one instead",
            **facts,
        )


# -- planning again by another ruleset ------------------------------------------------------------------------


def check_replan(ruleset: Ruleset, books: Rulebooks, now: datetime, effective_at: datetime | None) -> None:
    """Raises InvalidArgument for a replan ruleset that is unknown, its own, of another currency or has one itself.

    `effective_at`: when the ruleset will judge; None while nobody knows.
    """
    own, wanted = ruleset.ruleset_id, ruleset.replan_ruleset_id
    if wanted == own:
        raise _wrong("is the ruleset itself; leave it out to plan again by the same rules")
    if wanted:
        book = books.get(wanted, Rulebook(wanted))
        judges = book.live(now) if effective_at is None else _judging(book, effective_at)
        if not judges:
            when = f" on {effective_at:%Y-%m-%d %H:%M:%S %Z}" if effective_at else ""
            raise _wrong(f"ruleset {wanted} has no version in force{when}", "UNKNOWN_RULESET")
        for other in judges:
            if other.ruleset.replan_ruleset_id:
                raise _wrong(f"ruleset {wanted} plans again by {other.ruleset.replan_ruleset_id} itself", _CHAIN)
            _same_currency(ruleset, other.ruleset)
    for version in _leaning_on(own, books, now):
        if wanted:
            raise _wrong(
                f"ruleset {version.ruleset.ruleset_id} plans again by this one: then this one ends it",
                _CHAIN,
            )
        _same_currency(ruleset, version.ruleset)


_CHAIN = "RULESET_CHAIN"


def check_not_needed(without: Rulebook, books: Rulebooks, now: datetime) -> None:
    """Raises FailedPrecondition / RULESET_NEEDED when a ruleset plans again by this one and finds nothing then."""
    for version in _leaning_on(without.ruleset_id, books, now):
        if without.in_force(max(version.effective_at, now)) is None:
            raise FailedPrecondition(
                "RULESET_NEEDED",
                f"ruleset {version.ruleset.ruleset_id} plans again by {without.ruleset_id}, of which nothing "
                "would be in force then",
                ruleset_id=without.ruleset_id,
                needed_by=version.ruleset.ruleset_id,
            )


def _judging(book: Rulebook, effective_at: datetime) -> tuple[Version, ...]:
    """What judges then and later; nothing unless something does so then."""
    return book.live(effective_at) if book.in_force(effective_at) else ()


def _leaning_on(ruleset_id: str, books: Rulebooks, now: datetime) -> Iterable[Version]:
    """Versions of other rulesets, in force or to come, that plan again by this one."""
    for book in books.values():
        if book.ruleset_id != ruleset_id:
            for version in book.live(now):
                if version.ruleset.replan_ruleset_id == ruleset_id:
                    yield version


def _same_currency(ruleset: Ruleset, other: Ruleset) -> None:
    if ruleset.currency != other.currency:
        raise InvalidArgument(
            "ruleset.currency",
            f"ruleset.currency: ruleset {other.ruleset_id}, which goes with it, is in {other.currency}",
        )


def _wrong(why: str, reason: str = "INVALID_FIELD") -> InvalidArgument:
    field = "ruleset.replan_ruleset_id"
    return InvalidArgument(field, f"{field}: {why}", reason)
