"""The launcher's own loop: it starts PostgreSQL as another user, which uvloop cannot do."""

import asyncio

import pytest


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return asyncio.DefaultEventLoopPolicy()
