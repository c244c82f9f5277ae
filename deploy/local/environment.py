"""What each process is told: the `OMS_...` variables, made from addresses and keys.

Addresses are told to all. A secret is told only to those who use it (see `processes.py`).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.local.keys import Keys
from deploy.local.processes import GRPC_SERVICES, Secret
from deploy.local.temporal import NAMESPACE

PROVIDER_EVENTS_PATH = "/v1/payment-providers/{provider}/events"
CARRIER_EVENTS_PATH = "/v1/carriers/{carrier}/events"
# Those of the demo retailer: the simulator is each of them.
CARRIERS = ("hexagone", "sterne", "vallier", "cadence")
LOCKER_EVENTS_PATH = "/v1/lockers/{bank}/events"
# The demo retailer's stores with lockers.
LOCKER_BANKS = ("st-paris-rivoli",)
# The system that the simulated warehouse is (retailers/demo/data/handover.yaml).
WAREHOUSE = "demo-warehouse"


def common(addresses: Mapping[str, str], keys: Keys, state: Path) -> dict[str, str]:
    """What every process of ours is told. `addresses` are by name, host:port."""
    events_url = f"http://{addresses['gateway']}{PROVIDER_EVENTS_PATH}"
    services = {f"OMS_{name.upper()}_ADDRESS": addresses[name] for name in GRPC_SERVICES}
    return services | {
        "OMS_TEMPORAL_ADDRESS": addresses["temporal"],
        "OMS_TEMPORAL_NAMESPACE": NAMESPACE,
        "OMS_PAYMENT_PROVIDER_URL": f"http://{addresses['payment_provider']}",
        "OMS_PAYMENT_RETURN_URL": f"http://{addresses['gateway']}/",
        "OMS_PROVIDER_EVENTS_URL": events_url.format(provider="stripe"),
        "OMS_BASIC_PROVIDER_EVENTS_URL": events_url.format(provider="basic"),
        "OMS_PUBLIC_URL": f"http://{addresses['gateway']}",
        # 952 is the GS1 prefix for examples.
        "OMS_GS1_COMPANY_PREFIX": "9520417",
        "OMS_CARRIERS": ",".join(CARRIERS),
        "OMS_CARRIER_URL": f"http://{addresses['carrier']}/{{carrier}}",
        "OMS_CARRIER_EVENTS_URL": f"http://{addresses['gateway']}{CARRIER_EVENTS_PATH}",
        "OMS_CARRIER_STATE_FILE": str(state / "carrier.sqlite"),
        "OMS_LOCKER_BANKS": ",".join(LOCKER_BANKS),
        "OMS_LOCKER_URL": f"http://{addresses['locker']}/{{bank}}",
        "OMS_LOCKER_EVENTS_URL": f"http://{addresses['gateway']}{LOCKER_EVENTS_PATH}",
        "OMS_LOCKER_STATE_FILE": str(state / "locker.sqlite"),
        "OMS_SMTP_LISTEN": addresses["smtp"],
        "OMS_SMTP_URL": f"smtp://{addresses['smtp']}?tls=none",
        "OMS_MAIL_FROM": "Ondelle et Cairn <orders@shop.example>",
        "OMS_SMS_URL": f"http://{addresses['messages']}",
        "OMS_SMS_FROM": "Ondelle",
        "OMS_JWT_PUBLIC_KEY_FILE": str(keys.jwt_public_file),
        "OMS_STATE_FILE": str(state / "payment_provider.sqlite"),
        "OMS_WAREHOUSE_STATE_FILE": str(state / "warehouse.sqlite"),
        "OMS_WAREHOUSE_MESSAGES_URL": f"http://{addresses['gateway']}/v1/handover/{WAREHOUSE}/messages",
        # The core of gRPC writes lines that are no JSON; what becomes of a call is in the log of whoever made it.
        "GRPC_VERBOSITY": "NONE",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # compiled modules make the next start faster
    }


def secrets(keys: Keys, names: tuple[Secret, ...], addresses: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold the secrets of these names."""
    known: dict[Secret, tuple[str, str]] = {
        "codec_keys": ("OMS_CODEC_KEYS", keys.codec_keys),
        "provider_api_key": ("OMS_PAYMENT_PROVIDER_API_KEY", keys.provider_api_key),
        "identity_key": ("OMS_IDENTITY_KEY", keys.identity_key),
        "link_key": ("OMS_LINK_KEYS", keys.link_key),
        "sms_api_key": ("OMS_SMS_API_KEY", keys.sms_api_key),
        "stored_value_key": ("OMS_STORED_VALUE_KEY", keys.stored_value_key),
        "carrier_api_key": ("OMS_CARRIER_API_KEY", keys.carrier_api_key),
        "carrier_webhook_secret": ("OMS_CARRIER_WEBHOOK_SECRET", keys.carrier_webhook_secret),
        "locker_api_key": ("OMS_LOCKER_API_KEY", keys.locker_api_key),
        "locker_webhook_secret": ("OMS_LOCKER_WEBHOOK_SECRET", keys.locker_webhook_secret),
        "provider_webhook_secret": ("OMS_PAYMENT_PROVIDER_WEBHOOK_SECRET", keys.provider_webhook_secret),
        "basic_provider_api_key": ("OMS_BASIC_PROVIDER_API_KEY", keys.basic_provider_api_key),
        "basic_provider_webhook_secret": (
            "OMS_BASIC_PROVIDER_WEBHOOK_SECRET",
            keys.basic_provider_webhook_secret,
        ),
        "warehouse_api_key": ("OMS_WAREHOUSE_API_KEY", keys.warehouse_api_key),
        "warehouse_webhook_secret": ("OMS_WAREHOUSE_WEBHOOK_SECRET", keys.warehouse_webhook_secret),
        "handover_connections": ("OMS_HANDOVER_CONNECTIONS", _connections(keys, addresses)),
    }
    return dict(known[name] for name in names)


def _connections(keys: Keys, addresses: Mapping[str, str]) -> str:
    """Where systems that do the work of points answer, and their secrets."""
    warehouse = {
        "kind": "warehouse",
        "url": f"http://{addresses['warehouse']}",
        "api_key": keys.warehouse_api_key,
        "webhook_secret": keys.warehouse_webhook_secret,
    }
    return json.dumps({WAREHOUSE: warehouse})
