"""Files of stock for tests, and short words for what is done with them."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.inventory.domain.imports import ImportHeader, ImportJob, Rejection
from services.inventory.importing import ImportRunner
from services.inventory.imports import ImportService
from tests.services.inventory.shop import POINTS, Shop, request_id

MORNING = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SNAPSHOT = ImportHeader(
    request_id="",
    file_name="stock.csv",
    kind="snapshot",
    format="csv",
    compression="none",
    point_ids=POINTS,
    point_type="",
    brands=(),
    categories=(),
    absent="keep",
    source="",
    cause="",
    actor="wms",
    effective_at=MORNING,
    as_of=NOW,
)
DELTA = replace(SNAPSHOT, kind="delta", point_ids=(), absent="", source="till", effective_at=None)


def snapshot(*records: tuple[str, str, object]) -> bytes:
    return _csv("sku,point_id,quantity", records)


def delta(*records: tuple[str, str, object, object]) -> bytes:
    return _csv("sku,point_id,delta,sequence", records)


def timed(*records: tuple[str, str, object, object]) -> bytes:
    return _csv("sku,point_id,delta,effective_at", records)


def _csv(names: str, records: Iterable[Iterable[object]]) -> bytes:
    return "\n".join([names, *(",".join(map(str, record)) for record in records), ""]).encode()


async def portions(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


class Desk:
    """Sends files to a shop and works them."""

    def __init__(self, shop: Shop, *, chunk: int = 3) -> None:
        self.shop = shop
        self.service = ImportService(shop.engine)
        self.chunk = chunk

    def runner(self) -> ImportRunner:
        return ImportRunner(self.shop.engine, self.shop.bell, snapshot_chunk=self.chunk, delta_chunk=self.chunk)

    async def send(self, content: bytes, header: ImportHeader = SNAPSHOT, **changes: Any) -> ImportJob:
        wanted = replace(header, **{"request_id": request_id(), **changes})
        return (await self.service.start_import(wanted, portions(content)))[0]

    async def work(self, content: bytes, header: ImportHeader = SNAPSHOT, **changes: Any) -> ImportJob:
        """Sends and works it; the job afterwards, with every record accounted for."""
        job = await self.send(content, header, **changes)
        await self.runner().run()
        return await self.ended(job.job_id)

    async def ended(self, job_id: str) -> ImportJob:
        job = await self.service.get_import(job_id)
        if job.state == "done":
            counts = job.counts
            assert counts.read == counts.changed + counts.unchanged + counts.late + counts.rejected
            assert counts.late + counts.rejected == len(await self.rejections(job_id))
        await self.shop.assert_sound()
        return job

    async def rejections(self, job_id: str) -> list[Rejection]:
        return await self.service.list_rejections(job_id, 0, 100_000)

    async def reasons(self, job_id: str) -> dict[int, str]:
        return {one.line: one.reason for one in await self.rejections(job_id)}
