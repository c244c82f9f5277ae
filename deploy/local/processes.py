"""Which processes the system is made of, as data: what each needs before it, and what it is told.

The only place that lists them. Addresses are told to all; a secret only to those who use it.
"""

from dataclasses import dataclass
from typing import Literal

GRPC_SERVICES = ("inventory", "promise", "orders", "payments", "booking", "relay", "handover")
# name -> default port; `oms up --port NAME=NUMBER` and OMS_PORT_<NAME> change them
DEFAULT_PORTS = {
    "gateway": 8080,
    "temporal": 7233,
    "temporal_ui": 8233,
    "postgres": 54320,
    "inventory": 9101,
    "promise": 9102,
    "orders": 9103,
    "payments": 9104,
    "relay": 9105,
    "worker": 9106,
    "booking": 9107,
    "handover": 9108,
    "payment_provider": 9200,
    "carrier": 9201,
    "warehouse": 9202,
    "messages": 9203,
    "smtp": 9204,
    "locker": 9205,
}
Secret = Literal[
    "codec_keys",
    "provider_api_key",
    "provider_webhook_secret",
    "basic_provider_api_key",
    "basic_provider_webhook_secret",
    "stored_value_key",
    "carrier_api_key",
    "carrier_webhook_secret",
    "locker_api_key",
    "locker_webhook_secret",
    "warehouse_api_key",
    "warehouse_webhook_secret",
    "handover_connections",
    "identity_key",
    "link_key",
    "sms_api_key",
]
_PROVIDER_SECRETS: tuple[Secret, ...] = (
    "provider_api_key",
    "provider_webhook_secret",
    "basic_provider_api_key",
    "basic_provider_webhook_secret",
)
_CARRIER_SECRETS: tuple[Secret, ...] = ("carrier_api_key", "carrier_webhook_secret")
_LOCKER_SECRETS: tuple[Secret, ...] = ("locker_api_key", "locker_webhook_secret")


@dataclass(frozen=True)
class Process:
    """One `python -m <module>`.

    It starts when its `needs` are up and stops before what it `uses`. A `replicated` one may run more than
    once. `health` is "grpc" or the path of an HTTP check.
    """

    name: str
    module: str
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    health: str = "grpc"
    database: bool = False
    replicated: bool = True
    secrets: tuple[Secret, ...] = ()


PROCESSES = (
    Process("inventory", "services.inventory", needs=("databases",), database=True),
    Process("promise", "services.promise", needs=("databases",), uses=("inventory",), database=True),
    Process("carrier", "simulators.carrier", health="/healthz", replicated=False, secrets=_CARRIER_SECRETS),
    Process("locker", "simulators.locker", health="/healthz", replicated=False, secrets=_LOCKER_SECRETS),
    Process("messages", "simulators.messages", health="/healthz", replicated=False, secrets=("sms_api_key",)),
    Process(
        "orders",
        "services.orders",
        needs=("databases",),
        uses=("carrier", "locker", "messages"),
        database=True,
        secrets=(*_CARRIER_SECRETS, *_LOCKER_SECRETS, "identity_key", "link_key", "sms_api_key"),
    ),
    Process(
        "payment_provider",
        "simulators.payment_provider",
        health="/healthz",
        replicated=False,
        secrets=_PROVIDER_SECRETS,
    ),
    Process(
        "payments",
        "services.payments",
        needs=("databases",),
        uses=("payment_provider",),
        database=True,
        secrets=(*_PROVIDER_SECRETS, "stored_value_key"),
    ),
    Process("booking", "services.booking", needs=("databases",), database=True),
    Process(
        "warehouse",
        "simulators.warehouse",
        health="/healthz",
        replicated=False,
        secrets=("warehouse_api_key", "warehouse_webhook_secret"),
    ),
    Process(
        "handover",
        "services.handover",
        needs=("databases",),
        uses=("orders", "warehouse"),
        database=True,
        secrets=("handover_connections",),
    ),
    Process(
        "relay",
        "services.relay",
        needs=("databases", "namespace"),
        uses=("inventory", "promise", "orders", "payments", "booking", "handover"),
        database=True,
        secrets=("codec_keys",),
    ),
    Process(
        "worker",
        "workflows.worker",
        needs=("namespace",),
        uses=("inventory", "promise", "orders", "payments", "booking"),
        secrets=("codec_keys",),
    ),
    Process(
        "gateway",
        "services.gateway",
        needs=("namespace",),
        uses=("worker", "relay", "inventory", "promise", "orders", "payments", "booking", "handover"),
        health="/readyz",
        secrets=("codec_keys",),
    ),
)
