"""Files of stock: taken as they come, portion by portion, and handed on; then looked at as jobs."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Path, Query, Request

from oms.inventory.v1 import import_service_pb2 as pb
from services.gateway.auth import Caller
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, new_act_id, router
from services.gateway.schemas.base import Page, Paged
from services.gateway.schemas.imports import ImportRejectionView, ImportTerms, ImportView
from services.gateway.wire import message, shown

imports_router = router("stock imports")
STREAMED = frozenset({("POST", "/v1/stock/imports")})

_PORTION_BYTES = 1024**2
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, at most 1 GiB as sent; gzip with `Content-Encoding: gzip`.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "examples": {"snapshot": {"value": "sku,point_id,quantity\nAUB-TEE-NAVY-M,store-lyon,12\n"}},
            },
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "examples": {
                    "delta": {
                        "value": '{"sku": "AUB-TEE-NAVY-M", "point_id": "store-lyon", "delta": -1, "sequence": 7}'
                    }
                },
            },
        },
    }
}
JobId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@imports_router.post("/stock/imports", status_code=202, openapi_extra=_FILE)
async def start_import(
    terms: Annotated[ImportTerms, Query()],
    request: Request,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
    encoding: Annotated[
        str, Header(alias="Content-Encoding", pattern="^(identity|gzip)$", description="identity or gzip")
    ] = "identity",
) -> ImportView:
    """Take a file of stock. It is kept before this answers, and worked in the background.

    The same file with the same parameters is the same job, whatever its key and name, unless that failed or was
    cancelled. A record is one line; what is wrong with one is told of that one, and the others go on.
    """
    header = _header(terms, caller, key, encoding)
    answer = await clients.send(clients.imports.StartImport, _parts(header, request))
    return shown(answer.job, ImportView)


@imports_router.get("/stock/imports")
async def list_imports(page: Annotated[Paged, Query()], clients: ClientsAre) -> Page[ImportView]:
    """List imports, newest first."""
    found = await clients.read(clients.imports.ListImports, message(pb.ListImportsRequest, {"page": page.page}))
    return Page(items=[shown(job, ImportView) for job in found.jobs], next_cursor=found.page.next_cursor or None)


@imports_router.get("/stock/imports/{job_id}")
async def get_import(job_id: JobId, clients: ClientsAre) -> ImportView:
    """Show an import: how far it is and, in the end, what became of its records."""
    found = await clients.read(clients.imports.GetImport, pb.GetImportRequest(job_id=job_id))
    return shown(found.job, ImportView)


@imports_router.get("/stock/imports/{job_id}/rejections")
async def list_rejections(
    job_id: JobId, page: Annotated[Paged, Query()], clients: ClientsAre
) -> Page[ImportRejectionView]:
    """List the records of an import that were not applied, by line, and why."""
    request = message(pb.ListImportRejectionsRequest, {"job_id": job_id, "page": page.page})
    found = await clients.read(clients.imports.ListImportRejections, request)
    return Page(
        items=[shown(one, ImportRejectionView) for one in found.rejections],
        next_cursor=found.page.next_cursor or None,
    )


@imports_router.post("/stock/imports/{job_id}/cancel")
async def cancel_import(job_id: JobId, clients: ClientsAre) -> ImportView:
    """Stop an import between two of its chunks. What was written stays."""
    answer = await clients.act(clients.imports.CancelImport, pb.CancelImportRequest(job_id=job_id))
    return shown(answer.job, ImportView)


def _header(terms: ImportTerms, caller: Caller, key: str | None, encoding: str) -> pb.StartImportRequest:
    values = terms.model_dump()
    renamed = {"point_id": "point_ids", "brand": "brands", "category": "categories"}
    return message(
        pb.StartImportRequest,
        {
            "header": {
                **{renamed.get(name, name): value for name, value in values.items()},
                "compression": "gzip" if encoding == "gzip" else None,
                "request_id": new_act_id("import-stock", caller, key),
                "actor": caller.subject,
            }
        },
    )


async def _parts(header: pb.StartImportRequest, request: Request) -> AsyncIterator[pb.StartImportRequest]:
    """The header, then the body as it comes."""
    yield header
    async for portion in request.stream():
        for start in range(0, len(portion), _PORTION_BYTES):
            yield pb.StartImportRequest(content=portion[start : start + _PORTION_BYTES])
