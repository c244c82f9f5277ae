"""When a system should have spoken (SPEC RTE-11), when it is asked, and how soon what failed is tried again."""

from collections.abc import Collection
from datetime import datetime, timedelta

from services.handover.domain.model import OPEN, PREPARING, UNANSWERED, AlertKind, Handover, State, System

# Waits after the first, second, ... failure, then always the last one: an outage must not outlast itself by much.
_RETRY_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300)


def missed_at(handover: Handover, system: System) -> tuple[AlertKind, datetime] | None:
    """What is awaited of the system next, and when it is missed; None when nothing is."""
    if handover.state in UNANSWERED:
        tolerance = timedelta(seconds=system.acknowledge_tolerance_seconds)
        return AlertKind.NOT_ACKNOWLEDGED, handover.acknowledge_by + tolerance
    if handover.state in PREPARING and handover.ship_by:
        return AlertKind.NOT_SHIPPED, handover.ship_by + timedelta(seconds=system.ship_tolerance_seconds)
    if handover.state is State.TO_CANCEL and handover.ended_at:
        tolerance = timedelta(seconds=system.acknowledge_tolerance_seconds)
        return AlertKind.NOT_CANCELLED, handover.ended_at + tolerance
    return None


def acknowledge_by(created_at: datetime, offer_deadline: datetime, latest_start: datetime | None) -> datetime:
    """The end of the offer, or an earlier latest start; one that had passed before asks for nothing."""
    return min(offer_deadline, latest_start) if latest_start and latest_start > created_at else offer_deadline


def next_look(
    handover: Handover, system: System, alerted: Collection[AlertKind], retry_at: datetime | None
) -> datetime | None:
    """When a hand-over has to be looked at again: to try, to ask, or to find silence; None: never by itself."""
    missed = missed_at(handover, system)
    silent_at = missed[1] if missed and missed[0] not in alerted else None
    poll_at = handover.poll_at if handover.state in OPEN - {State.TO_SEND} else None
    if poll_at and retry_at:
        # What has just failed is not asked for at once again.
        poll_at = max(poll_at, retry_at)
    return min((one for one in (retry_at, poll_at, silent_at) if one), default=None)


def retry_at(attempts: int, now: datetime) -> datetime:
    """When to try again after so many failures, from 1."""
    return now + timedelta(seconds=_RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS)) - 1])
