"""What a run loads again costs each order: only the modules that hold stories."""

import inspect

from workflows.sandbox import sandbox
from workflows.worker import STORIES


def test_each_run_loads_the_stories_again_and_nothing_else_of_ours() -> None:
    passed = sandbox().restrictions.passthrough_modules
    ours = {one for one in passed if one.startswith("workflows.")}
    stories = {inspect.getmodule(story).__name__ for story in STORIES}  # type: ignore[union-attr]
    assert not ours & stories
    assert {"workflows.waiting", "workflows.consolidating", "workflows.planning_again"} <= ours
