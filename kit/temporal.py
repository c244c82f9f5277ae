"""The Temporal client that every process uses: one converter, one codec, one tracing interceptor."""

import dataclasses

from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from kit import telemetry
from kit.codec import EncryptionCodec, parse_keys

TASK_QUEUE = "oms"


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
    )
