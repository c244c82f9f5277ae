"""Which of its changes a story lives by: a run keeps to what it began with.

A marker is asked for in the first task of a run, before any step. A worker under load may end a task between a
step's answer and what the story does then: replayed, the story comes there one task earlier than the first
time, and a marker that it asks for there is not found (it would never go on). Runs that began before
`_OLDEST` have markers where they came to them.
"""

from temporalio import workflow

_OLDEST = "changes-are-known-from-the-start"
# The changes that came with each marker, the newest marker first. It stands for all that are older as well: a run
# asks for the newest, and a change that is newer still needs one of its own before it.
_BROUGHT = {
    "changes-are-known-from-the-start/2": frozenset(
        {"others-are-believed", "room-of-no-work", "slot-of-nothing-sent", "told-before-cancelled"}
    ),
    _OLDEST: frozenset(
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
    ),
}


def begin() -> None:
    """Called as a story begins."""
    any(map(workflow.patched, _BROUGHT))


def knows(change: str) -> bool:
    """Whether this run lives by the change."""
    markers = list(_BROUGHT)
    own = next(i for i, marker in enumerate(markers) if change in _BROUGHT[marker])
    if any(map(workflow.patched, markers[: own + 1])):
        return True
    return markers[own] == _OLDEST and workflow.patched(change)
