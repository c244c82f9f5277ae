"""gRPC: servers that answer errors with google.rpc.ErrorInfo, and clients that raise them again."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from opentelemetry import metrics
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor, filters
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kit import db, failpoints, garbage, telemetry
from kit.errors import Fact, Internal, OmsError, Unavailable, from_code

_DETAILS = "grpc-status-details-bin"
_DOMAIN = "oms"
_log = logging.getLogger(__name__)
_call_seconds = metrics.get_meter(__name__).create_histogram(
    "rpc.server.call.duration",
    unit="s",
    description="How long calls took, by method and outcome",
    explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
)

# A message may hold an order of several hundred lines with its plans.
_OPTIONS = [
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", 32 * 1024 * 1024),
    # A connection that went dead without a word (a machine lost, a firewall that forgot) is given up after
    # 15 seconds, even when no call happens to be waiting on it. Servers must allow to be asked so often.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # of the other pings: while one is waited for, none keeps alive
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # A peer that was restarted is found again at once, not after the default two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # How long one attempt to connect may take, whatever its name says: slow lines and busy peers need some.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # Where an address stands for several replicas, all of them work, not only the first.
    ("grpc.lb_policy_name", "round_robin"),
]

# Health checks, long polls and sweeps would bury the traces of orders.
_WITHOUT_SPANS = ("PullEvents", "WatchStock", "ListUnstarted")
_WORTH_A_SPAN = filters.negate(
    filters.any_of(filters.health_check(), *(filters.method_name(name) for name in _WITHOUT_SPANS))
)

# What a peer answers that gives its calls up; a caller that gives one up gets a CancelledError instead.
_GAVE_UP = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

Background = Callable[[], Coroutine[Any, Any, None]]


def connect(address: str) -> grpc.aio.Channel:
    """A channel to a peer. Calls raise OmsError (see `call`)."""
    ours = [_RaiseOmsErrors(), _RaiseOmsErrorsOfStreams()]
    interceptors: list[Any] = [*(_tracing() if telemetry.is_exporting() else []), *ours]
    return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)


def _tracing() -> Sequence[Any]:
    return list(aio_client_interceptors(filter_=_WORTH_A_SPAN))


class _RaiseOmsErrors(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """Turns a failed call into the OmsError that the server raised."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = await continuation(client_call_details, request)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise to_oms_error(error) from error
        return call


class _RaiseOmsErrorsOfStreams(grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    """The same for calls that send a stream. Once the server has had enough, no more is sent."""

    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        had_enough = asyncio.Event()
        call = await continuation(client_call_details, _until(had_enough, request_iterator))
        listening = asyncio.create_task(_hear(call, had_enough))
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise to_oms_error(error) from error
        finally:
            listening.cancel()
        return call


async def _until(had_enough: asyncio.Event, requests: AsyncIterable[Any] | Iterable[Any]) -> AsyncIterator[Any]:
    async for request in requests if isinstance(requests, AsyncIterable) else _one_by_one(requests):
        if had_enough.is_set():
            return
        yield request


async def _one_by_one(requests: Iterable[Any]) -> AsyncIterator[Any]:
    for request in requests:
        yield request


async def _hear(call: Any, had_enough: asyncio.Event) -> None:
    """A server that wants the whole stream sends its headers with its answer; one that refuses it, at once."""
    await call.initial_metadata()
    had_enough.set()


def to_oms_error(error: grpc.aio.AioRpcError) -> OmsError:
    """What the server raised; for whoever reads a stream of answers, which fails while it is read."""
    for key, value in cast(Iterable[tuple[str, str | bytes]], error.trailing_metadata() or ()):
        if key != _DETAILS:
            continue
        status = Status.FromString(value if isinstance(value, bytes) else value.encode())
        for detail in status.details:
            info = ErrorInfo()
            if detail.Unpack(info):
                facts: dict[str, Fact] = dict(info.metadata)
                return from_code(error.code().name, info.reason, status.message, facts)
    if error.code() in _GAVE_UP:
        return Unavailable("UNREACHABLE", error.details() or error.code().name)
    return from_code(error.code().name, error.code().name, error.details() or error.code().name, {})


class _AnswerErrors(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Turns an OmsError into a status with ErrorInfo, an outage of the database into UNAVAILABLE."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(handler_call_details.method, handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                self._unary(handler_call_details.method, _reading_on(handler.stream_unary)),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return handler

    def _unary(
        self, method: str, behaviour: Callable[[Any, Any], Awaitable[Any]]
    ) -> Callable[[Any, Any], Awaitable[Any]]:
        service, _, name = method.lstrip("/").partition("/")
        behave = failpoints.around(name, behaviour)

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            began, code = time.perf_counter(), "CANCELLED"
            try:
                reply = await behave(request, context)
                code = "OK"
                return reply
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                known = _as_oms_error(error)
                code = known.code
                await _abort(context, known)
            finally:
                labels = {"rpc.service": service, "rpc.method": name, "rpc.response.status_code": code}
                _call_seconds.record(time.perf_counter() - began, labels)

        return answer

    def _stream(
        self, behaviour: Callable[[Any, Any], AsyncIterator[Any]]
    ) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                async for message in behaviour(request, context):
                    yield message
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await _abort(context, _as_oms_error(error))

        return answer


def _reading_on(behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Takes what is sent to its end before an error is answered: asks the sender to stop, and drops the rest.

    A client whose write crosses with the end of the call loses the status (grpc/grpc#36066).
    """

    async def answer(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behaviour(requests, context)
        except Exception:
            await context.send_initial_metadata(())
            async for _ in requests:
                pass
            raise

    return answer


async def _abort(context: grpc.aio.ServicerContext[Any, Any], known: OmsError) -> None:
    info = AnyMessage()
    info.Pack(ErrorInfo(reason=known.reason, domain=_DOMAIN, metadata={k: str(v) for k, v in known.facts.items()}))
    code = grpc.StatusCode[known.code]
    status = Status(code=code.value[0], message=known.detail, details=[info])
    await context.abort(code, known.detail, ((_DETAILS, status.SerializeToString()),))


def _as_oms_error(error: Exception) -> OmsError:
    if isinstance(error, OmsError):
        return error
    if isinstance(error, DBAPIError) and db.is_full(error):
        _log.error("the disk of the database is full")
        return Unavailable("STORAGE_FULL", "the database has no space left; ask again when there is some")
    if isinstance(error, DBAPIError) and db.is_held_elsewhere(error):
        _log.warning("a row is under somebody else's lock")
        return Unavailable("HELD_ELSEWHERE", "somebody else holds what this needs; ask again")
    if _is_outage(error):
        # The text of a database error may quote a row: its class is enough.
        _log.warning("database away: %s", type(error).__name__)
        return Unavailable("DATABASE_UNAVAILABLE", "the database is away; ask again")
    _log.exception("defect")
    return Internal("INTERNAL", "an internal error; it was logged")


def _is_outage(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return db.is_outage(error)
    return isinstance(error, PoolTimeoutError | Unavailable)


def build_server() -> grpc.aio.Server:
    """A server that answers errors as they should be, and takes part in traces."""
    interceptors: list[Any] = [_AnswerErrors()]
    if telemetry.is_exporting():
        interceptors.insert(0, aio_server_interceptor(filter_=_WORTH_A_SPAN))
    return grpc.aio.server(interceptors=interceptors, options=[*_OPTIONS, ("grpc.so_reuseport", 0)])


async def serve(
    listen: str,
    register: Callable[[grpc.aio.Server], None],
    *,
    background: Sequence[Background] = (),
    ready: Callable[[], bool] = lambda: True,
) -> None:
    """Serves until SIGTERM or SIGINT. Background tasks run beside it; if one ends, so does the process.

    grpc.health.v1 answers SERVING once `ready()` is true.
    """
    server = build_server()
    register(server)
    checker = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    if server.add_insecure_port(listen) == 0:
        raise OSError(f"cannot listen on {listen}")
    await server.start()
    garbage.settle_down()

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(job()) for job in background]
    tasks.append(asyncio.create_task(_watch_readiness(checker, ready)))
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    await checker.enter_graceful_shutdown()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop(grace=3)
    for task in done - {stopping}:
        if error := task.exception():
            raise error


async def _watch_readiness(checker: Any, ready: Callable[[], bool]) -> None:
    serving = None
    while True:
        now = ready()
        if now is not serving:
            serving = now
            status = health_pb2.HealthCheckResponse
            await checker.set("", status.SERVING if now else status.NOT_SERVING)
        await asyncio.sleep(0.1)


async def periodically(name: str, seconds: float, job: Callable[[], Awaitable[object]]) -> None:
    """Runs a sweep again and again; one that fails is logged by its name and tried at the next turn.

    What is away comes back: of an outage only the reason is logged, of a defect where it is.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            with failpoints.acting(name):
                await job()
        except Exception as error:
            if _is_outage(error):
                reason = error.reason if isinstance(error, OmsError) else type(error).__name__
                _log.warning("%s: %s; next try in %s s", name, reason, seconds)
            else:
                _log.exception("%s failed; next try in %s s", name, seconds)
