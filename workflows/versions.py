"""Which of its changes a story lives by: a run keeps to what it began with.

A marker is asked for in the first task of a run, before any step. A worker under load may end a task between a
step's answer and what the story does then: replayed, the story comes there one task earlier than the first
time, and a marker that it asks for there is not found (it would never go on). Runs that began before
`_FROM_THE_START` have markers where they came to them.
"""

from temporalio import workflow

_FROM_THE_START = "changes-are-known-from-the-start"
# The newest change. Its marker stands for all before it; one that is newer still takes its place in `begin`.
TOLD_FIRST = "told-before-a-cancellation"
# What runs with either marker live by without one of its own.
_KNOWN = frozenset(
    {
        "capacity",
        "cooling-off-is-let-go",
        "decisions-written-down",
        "means-are-kept",
        "missing-when-cancelled",
        "not-authorized-is-declined",
        "nothing-due",
        "offers-of-what-is-left",
        "trial-let-go-is-given-up",
        "units-may-be-cancelled",
        "unpacked-first",
    }
)


def begin() -> None:
    """Called as a story begins."""
    _knows_all()


def knows(change: str) -> bool:
    """Whether this run lives by the change."""
    if change == TOLD_FIRST:
        return workflow.patched(TOLD_FIRST)
    return (change in _KNOWN and _knows_all()) or workflow.patched(change)


def _knows_all() -> bool:
    return workflow.patched(TOLD_FIRST) or workflow.patched(_FROM_THE_START)
