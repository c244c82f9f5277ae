"""Around every activity: the order's id on the trace, and errors in the form that the stories decide by."""

from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from kit import failpoints, telemetry
from kit.errors import OmsError


class AroundActivities(Interceptor):
    """Installed in every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps the chain of interceptors."""
        return _AroundActivity(next)


class _AroundActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        order_id = getattr(input.args[0], "order_id", "") if input.args else ""
        try:
            with telemetry.about_order(order_id), failpoints.acting(activity.info().activity_type):
                failpoints.reach("before")
                answer = await self.next.execute_activity(input)
                # The service has acted and answered; Temporal does not know.
                failpoints.reach("after")
                return answer
        except OmsError as error:
            raise ApplicationError(
                error.detail, dict(error.facts), type=error.reason, non_retryable=not error.retryable
            ) from error
