"""Every timeout, retry and schedule of the stories, by name. Changing one does not break orders in flight."""

from datetime import timedelta

from temporalio.common import RetryPolicy

# Fast idempotent calls run inside the workflow task for at most this long, then as regular activities:
# a local one takes some 10 ms where a regular one takes 60, but it must not hold the task.
LOCAL_TOTAL = timedelta(seconds=3)
LOCAL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=50), backoff_coefficient=2, maximum_interval=timedelta(seconds=1)
)

REGULAR_ATTEMPT = timedelta(seconds=20)
# No limit of attempts: a service that is away for an hour delays orders, it does not lose them.
REGULAR_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)

# How long units are held before the order stands: the default of SPEC STK-7.
HOLD_SECONDS = 600

# How often a plan is made again when stock has gone between the plan and the hold.
PLAN_ATTEMPTS = 4

# A capture that was declined is tried again after these, then waits for a person.
CAPTURE_RETRIES = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))

# Kept means are charged so much earlier at most, each at its own moment: thousands that are released in one second
# do not ask their provider in one second too.
AUTHORISE_SPREAD = timedelta(hours=6)

# A step that failed for good is flagged for a person and tried again after this, each time so much later, or at
# once on `resume`. In time that is once a day: no history grows to its end while nobody comes.
ATTENTION_RETRY = timedelta(hours=1)
ATTENTION_LONGEST = timedelta(days=1)

# What is unpacked was kept from being sold before, or is about to be: looked at so often, in all a few minutes.
PUT_BACK_LOOK = timedelta(seconds=20)
PUT_BACK_LOOKS = 15

# How often it is looked whether somebody brought a refund that failed to an end.
REFUND_LOOK = timedelta(hours=6)

# For so long at least an order is authorised that is to be tried at home (SPEC PAY-4).
TRIAL_AUTHORISATION = timedelta(days=11)

# The shortest timer: it ends the workflow task, and so writes down what was decided in it.
MOMENT = timedelta(milliseconds=1)

# How long a claim is left to the gateway that was given it, before the story settles it.
CLAIM_LEASE = timedelta(seconds=5)

# An offer's deadline is judged by the orders service's clock; ours may be ahead of it.
LAPSE_RECHECK = timedelta(seconds=1)
