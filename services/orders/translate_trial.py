"""Protobuf messages of goods that are tried at home to domain records and back."""

from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.model import CaptureMoment, LifeCycle, Trial, TrialTerms
from services.orders.wire import from_instant

_USUAL = TrialTerms()


def to_terms(message: pb.LifeCycle) -> TrialTerms | None:
    """The usual terms where money is taken after a trial and nothing else is said."""
    if message.capture_at != CaptureMoment.TRIAL and not message.HasField("trial"):
        return None
    terms = message.trial
    return TrialTerms(terms.days or _USUAL.days, terms.reminder_days or _USUAL.reminder_days)


def from_terms(one: LifeCycle) -> pb.TrialTerms | None:
    terms = one.trial
    return pb.TrialTerms(days=terms.days, reminder_days=terms.reminder_days) if terms else None


def from_trial(trial: Trial | None) -> pb.Trial | None:
    if trial is None:
        return None
    return pb.Trial(
        begun_at=from_instant(trial.begun_at),
        ends_at=from_instant(trial.ends_at),
        remind_at=from_instant(trial.remind_at),
        reminded_at=from_instant(trial.reminded_at),
        decided_at=from_instant(trial.decided_at),
        settled_at=from_instant(trial.settled_at),
        kept=[
            pb.KeptUnits(line_number=one.line_number, from_unit=one.from_unit, to_unit=one.to_unit)
            for one in trial.kept
        ],
    )
