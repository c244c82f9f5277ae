"""The gRPC face of tax documents: translates, and nothing else."""

from typing import Any

from oms.orders.v1 import document_service_pb2 as pb
from oms.orders.v1.document_service_pb2_grpc import DocumentServiceServicer
from services.orders import translate_documents as to
from services.orders import wire
from services.orders.invoicing import Documents
from services.orders.translate import from_address


class DocumentRpc(DocumentServiceServicer):
    """DocumentService over gRPC."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Any) -> pb.GetDocumentResponse:
        wire.check_text(request)
        found, buyer = await self._documents.get(request.number)
        return pb.GetDocumentResponse(
            document=to.from_document(found), buyer=from_address(buyer) if buyer else None
        )

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Any) -> pb.ListDocumentsResponse:
        wire.check_text(request)
        size, after = wire.to_page(request.page)
        found = await self._documents.list_documents(to.to_filter(request), size, after)
        positions = [(one.issued_at, one.number) for one in found]
        return pb.ListDocumentsResponse(
            documents=[to.from_document(one) for one in found], page=wire.from_page(positions, size)
        )
