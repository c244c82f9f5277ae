"""oms.inventory.v1.ImportService over gRPC: translates requests and answers, and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.inventory.v1 import import_service_pb2 as pb
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceServicer
from oms.type.v1 import type_pb2 as types
from services.inventory import paging
from services.inventory.domain.imports import ImportHeader, ImportJob, Rejection
from services.inventory.imports import ImportService

_KINDS = {pb.IMPORT_KIND_SNAPSHOT: "snapshot", pb.IMPORT_KIND_DELTA: "delta"}
_FORMATS = {pb.IMPORT_FORMAT_CSV: "csv", pb.IMPORT_FORMAT_NDJSON: "ndjson"}
_COMPRESSIONS = {pb.IMPORT_COMPRESSION_UNSPECIFIED: "none", pb.IMPORT_COMPRESSION_GZIP: "gzip"}
_ABSENT = {pb.ABSENT_RULE_UNSPECIFIED: "", pb.ABSENT_RULE_KEEP: "keep", pb.ABSENT_RULE_ZERO: "zero"}
_POINT_TYPES = {
    types.POINT_TYPE_UNSPECIFIED: "",
    types.POINT_TYPE_WAREHOUSE: "warehouse",
    types.POINT_TYPE_STORE: "store",
    types.POINT_TYPE_SUPPLIER: "supplier",
    types.POINT_TYPE_PARTNER: "partner",
}
_STATES = {
    "received": pb.IMPORT_STATE_RECEIVED,
    "running": pb.IMPORT_STATE_RUNNING,
    "done": pb.IMPORT_STATE_DONE,
    "failed": pb.IMPORT_STATE_FAILED,
    "cancelled": pb.IMPORT_STATE_CANCELLED,
}
_KINDS_OUT = {name: number for number, name in _KINDS.items()}
_FORMATS_OUT = {name: number for number, name in _FORMATS.items()}
_COMPRESSIONS_OUT = {name: number for number, name in _COMPRESSIONS.items()}
_ABSENT_OUT = {name: number for number, name in _ABSENT.items()}
_BEYOND_ALL = 2**63 - 1


class ImportRpc(ImportServiceServicer):
    """The servicer. Errors of the service pass through; kit.rpc answers them."""

    def __init__(self, service: ImportService) -> None:
        self._service = service

    async def StartImport(
        self, request_iterator: AsyncIterator[pb.StartImportRequest], context: Any
    ) -> pb.StartImportResponse:
        parts = aiter(request_iterator)
        first = await anext(parts, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidArgument("header", "the first message is the header")
        job, repeated = await self._service.start_import(_header_in(first.header), _content(parts))
        return pb.StartImportResponse(job=_job_out(job), repeated_file=repeated)

    async def GetImport(self, request: pb.GetImportRequest, context: object) -> pb.GetImportResponse:
        return pb.GetImportResponse(job=_job_out(await self._service.get_import(request.job_id)))

    async def ListImports(self, request: pb.ListImportsRequest, context: object) -> pb.ListImportsResponse:
        asked = paging.read(request.page, [_BEYOND_ALL])
        found = await self._service.list_imports(int(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda job: [job.number])
        return pb.ListImportsResponse(jobs=[_job_out(job) for job in rows], page=page)

    async def ListImportRejections(
        self, request: pb.ListImportRejectionsRequest, context: object
    ) -> pb.ListImportRejectionsResponse:
        asked = paging.read(request.page, [0])
        found = await self._service.list_rejections(request.job_id, int(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda one: [one.line])
        return pb.ListImportRejectionsResponse(rejections=[_rejection_out(one) for one in rows], page=page)

    async def CancelImport(self, request: pb.CancelImportRequest, context: object) -> pb.CancelImportResponse:
        job = await self._service.cancel_import(request.job_id, times.now())
        return pb.CancelImportResponse(job=_job_out(job))


async def _content(parts: AsyncIterator[pb.StartImportRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "content":
            raise InvalidArgument("content", "after the header there is only content")
        yield part.content


def _header_in(header: pb.ImportHeader) -> ImportHeader:
    return ImportHeader(
        request_id=header.request_id,
        file_name=header.file_name,
        kind=_KINDS.get(header.kind, ""),
        format=_FORMATS.get(header.format, ""),
        compression=_COMPRESSIONS.get(header.compression, ""),
        point_ids=tuple(header.point_ids),
        point_type=_POINT_TYPES.get(header.point_type, ""),
        brands=tuple(header.brands),
        categories=tuple(header.categories),
        absent=_ABSENT.get(header.absent, ""),
        source=header.source,
        cause=header.cause,
        actor=header.actor,
        effective_at=times.field_or_none(header, "effective_at"),
        as_of=times.now(),
    )


def _job_out(job: ImportJob) -> pb.ImportJob:
    told = pb.ImportJob(
        job_id=job.job_id,
        file_name=job.file_name,
        kind=_KINDS_OUT[job.kind],
        format=_FORMATS_OUT[job.format],
        compression=_COMPRESSIONS_OUT[job.compression],
        point_ids=job.point_ids,
        brands=job.brands,
        categories=job.categories,
        absent=_ABSENT_OUT[job.absent],
        source=job.source,
        cause=job.cause,
        actor=job.actor,
        effective_at=times.to_proto(job.effective_at),
        sha256=job.file_digest.hex(),
        state=_STATES[job.state],
        reason=job.reason,
        detail=job.detail,
        bytes=job.bytes,
        bytes_read=job.bytes_read,
        read=job.counts.read,
        changed=job.counts.changed,
        unchanged=job.counts.unchanged,
        late=job.counts.late,
        rejected=job.counts.rejected,
        zeroed=job.counts.zeroed,
        below_zero=job.counts.below_zero,
        planned=job.planned,
        worked=job.worked,
        received_at=times.to_proto(job.received_at),
    )
    if job.started_at:
        told.started_at.CopyFrom(times.to_proto(job.started_at))
    if job.ended_at:
        told.ended_at.CopyFrom(times.to_proto(job.ended_at))
    return told


def _rejection_out(rejection: Rejection) -> pb.ImportRejection:
    return pb.ImportRejection(
        line=rejection.line, reason=rejection.reason, detail=rejection.detail, record=rejection.record
    )
