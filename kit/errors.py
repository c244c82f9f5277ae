"""Errors of the domain, and the one table that maps them to gRPC and HTTP.

Who raises an error gives a `reason` in UPPER_SNAKE and facts, never a status. A refusal that the caller must act
on (stock refused, card declined) is a result, not an error.
"""

from typing import ClassVar

Fact = str | int | float | bool


class OmsError(Exception):
    """Something asked for that cannot be done. `detail` is a sentence for people; facts are for programs."""

    code: ClassVar[str]
    http_status: ClassVar[int]
    retryable: ClassVar[bool] = False

    def __init__(self, reason: str, detail: str, **facts: Fact) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.facts = facts


class InvalidArgument(OmsError):
    """The request breaks a rule whatever the state of the system; `field` names where."""

    code = "INVALID_ARGUMENT"
    http_status = 422

    def __init__(self, field: str, detail: str, reason: str = "INVALID_FIELD", **facts: Fact) -> None:
        super().__init__(reason, detail, field=field, **facts)


class Unauthenticated(OmsError):
    """Who asks is not known."""

    code = "UNAUTHENTICATED"
    http_status = 401


class PermissionDenied(OmsError):
    """Who asks may not."""

    code = "PERMISSION_DENIED"
    http_status = 403


class NotFound(OmsError):
    """The thing named does not exist, or not for who asks."""

    code = "NOT_FOUND"
    http_status = 404


class Conflict(OmsError):
    """An id or key was used before with other content."""

    code = "ALREADY_EXISTS"
    http_status = 409


class FailedPrecondition(OmsError):
    """The state of the thing forbids it; asking again changes nothing."""

    code = "FAILED_PRECONDITION"
    http_status = 409


class TooManyRequests(OmsError):
    """Asked more often than is allowed; ask again later, when the rule allows it."""

    code = "RESOURCE_EXHAUSTED"
    http_status = 429


class Unavailable(OmsError):
    """A part of the system is away; ask again."""

    code = "UNAVAILABLE"
    http_status = 503
    retryable = True


class DeadlineExceeded(OmsError):
    """The answer did not come in time; it may still happen. Ask again with the same key."""

    code = "DEADLINE_EXCEEDED"
    http_status = 504
    retryable = True


class Internal(OmsError):
    """A defect of ours."""

    code = "INTERNAL"
    http_status = 500
    retryable = True


KINDS: dict[str, type[OmsError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        Conflict,
        FailedPrecondition,
        TooManyRequests,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}


def from_code(code: str, reason: str, detail: str, facts: dict[str, Fact]) -> OmsError:
    """Rebuilds an error that crossed the wire; a code that is not in the table is a defect."""
    kind = KINDS.get(code, Internal)
    error = kind.__new__(kind)
    OmsError.__init__(error, reason, detail, **facts)
    return error
