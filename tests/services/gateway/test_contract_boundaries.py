"""Every endpoint against its own description at each boundary of each field, one by one."""

from typing import Any

import pytest
import requests
from hypothesis import Phase, settings
from schemathesis import Case

from tests.services.gateway.contract import FIXED, check, everything, gateway, schema, session
from tests.services.gateway.house import House

__all__ = ["everything", "gateway", "session"]
_BOUNDARIES = schema(coverage=True)


@pytest.mark.attack
@pytest.mark.timeout(600)
@_BOUNDARIES.parametrize()  # type: ignore[untyped-decorator]
@settings(FIXED, phases=[Phase.explicit])
def test_an_endpoint_keeps_its_promises_at_every_boundary(
    case: Case[Any], gateway: House, everything: dict[str, str], session: requests.Session
) -> None:
    check(case, gateway, everything, session)
