"""A full system of one test module's own, for what must not be done to the one that all share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cli.client import Api
from tests import infra
from tests.end_to_end.crowd import Crowd
from tests.end_to_end.hooks import Receiver, running_receiver
from tests.stack import SharedStack, running_stack

# Its start is in the first test's time.
TEST_SECONDS = 300


@dataclass(frozen=True)
class System:
    """A running system and the shop that hears of everything in it."""

    stack: SharedStack
    hooks: Receiver

    def crowd(self, seed: int) -> Crowd:
        """People who work on it."""
        return Crowd(self.stack, self.hooks, seed=seed)


@contextmanager
def running_system(**options: Any) -> Iterator[System]:
    """Started with these StackOptions, and stopped at the end."""
    # Not in pytest's folder: another run would close that to the user who owns PostgreSQL's files.
    folder = infra.server_folder("stack")
    with running_receiver() as hooks, running_stack(folder, web_ui=False, mortal=True, **options) as stack:
        with Api.of(stack.gateway_url, stack.state) as api:
            created = api.post("/v1/webhook-endpoints", "operator", {"url": hooks.url})
        hooks.endpoint_id, hooks.secret = created["id"], created["secret"]
        yield System(stack, hooks)
