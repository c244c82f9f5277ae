"""The Temporal client that every process uses: one converter, one codec, one tracing interceptor."""

import dataclasses
import logging
import os
from datetime import timedelta
from functools import cache

from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    OpenTelemetryConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import KeepAliveConfig

from kit import telemetry
from kit.codec import EncryptionCodec, parse_keys

TASK_QUEUE = "oms"
# A connection that went dead without a word is given up soon. A server allows one question in ten seconds.
_KEEP_ALIVE = KeepAliveConfig(interval_millis=15_000, timeout_millis=5_000)


def data_converter(codec_keys: str) -> DataConverter:
    """JSON for dataclasses, encrypted; messages and stack traces of failures are encrypted too."""
    return dataclasses.replace(
        DataConverter.default,
        payload_codec=EncryptionCodec(parse_keys(codec_keys)),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(address: str, namespace: str, codec_keys: str, *, lazy: bool = False) -> Client:
    """A client. `lazy` connects at the first call, so a process can start before the server."""
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=data_converter(codec_keys),
        interceptors=[TracingInterceptor()] if telemetry.is_exporting() else [],
        lazy=lazy,
        keep_alive_config=_KEEP_ALIVE,
        runtime=_runtime(),
    )


@cache
def _runtime() -> Runtime:
    """One for the process: its logs become ours (JSON), its metrics go where ours go."""
    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    period = timedelta(milliseconds=telemetry.metric_milliseconds())
    metrics = OpenTelemetryConfig(url=endpoint, metric_periodicity=period) if endpoint else None
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics))
