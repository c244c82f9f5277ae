"""The secrets of one machine's system, made once and kept in its state folder.

They are for development: production hands the same settings in from its own vault. Nothing here is logged.
"""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Keys:
    """Where the token keys are, and the other secrets by value."""

    folder: Path
    codec_keys: str
    postgres_password: str
    provider_api_key: str
    provider_webhook_secret: str
    basic_provider_api_key: str
    basic_provider_webhook_secret: str
    stored_value_key: str
    carrier_api_key: str
    carrier_webhook_secret: str
    locker_api_key: str
    locker_webhook_secret: str
    warehouse_api_key: str
    warehouse_webhook_secret: str
    identity_key: str
    link_key: str
    sms_api_key: str

    @property
    def jwt_private_file(self) -> Path:
        """PEM; signs the tokens of `oms token`."""
        return self.folder / "jwt-private.pem"

    @property
    def jwt_public_file(self) -> Path:
        """PEM; what the gateway checks tokens with."""
        return self.folder / "jwt-public.pem"


def load_or_make(folder: Path) -> Keys:
    """Read the keys of `folder`; make those that are missing, readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    keys = Keys(
        folder=folder,
        codec_keys=_kept(folder / "codec-keys", f"local:{_base64(secrets.token_bytes(32))}"),
        postgres_password=_kept(folder / "postgres-password", secrets.token_urlsafe(24)),
        provider_api_key=_kept(folder / "provider-api-key", _api_key()),
        provider_webhook_secret=_kept(folder / "provider-webhook-secret", _webhook_secret()),
        basic_provider_api_key=_kept(folder / "basic-provider-api-key", _api_key()),
        basic_provider_webhook_secret=_kept(folder / "basic-provider-webhook-secret", _webhook_secret()),
        stored_value_key=_kept(folder / "stored-value-key", secrets.token_hex(32)),
        carrier_api_key=_kept(folder / "carrier-api-key", _api_key()),
        carrier_webhook_secret=_kept(folder / "carrier-webhook-secret", _webhook_secret()),
        locker_api_key=_kept(folder / "locker-api-key", _api_key()),
        locker_webhook_secret=_kept(folder / "locker-webhook-secret", _webhook_secret()),
        warehouse_api_key=_kept(folder / "warehouse-api-key", _api_key()),
        warehouse_webhook_secret=_kept(folder / "warehouse-webhook-secret", _standard_secret()),
        identity_key=_kept(folder / "identity-key", secrets.token_hex(32)),
        link_key=_kept(folder / "link-key", secrets.token_hex(32)),
        sms_api_key=_kept(folder / "sms-api-key", _api_key()),
    )
    if not keys.jwt_private_file.exists():
        _make_token_keys(keys)
    return keys


def _make_token_keys(keys: Keys) -> None:
    private = Ed25519PrivateKey.generate()
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(keys.jwt_public_file, public_pem)
    _write(keys.jwt_private_file, private_pem)  # last: its presence says that the pair is whole


def _api_key() -> str:
    return f"sk_test_{secrets.token_hex(16)}"


def _webhook_secret() -> str:
    return f"whsec_{secrets.token_hex(24)}"


def _standard_secret() -> str:
    """As Standard Webhooks wants it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _kept(file: Path, new_value: str) -> str:
    if not file.exists():
        _write(file, new_value.encode())
    return file.read_text()


def _write(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    draft.replace(file)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()
