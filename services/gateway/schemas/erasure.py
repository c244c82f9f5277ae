"""Customers who are erased."""

from datetime import datetime

from pydantic import Field

from services.gateway.schemas.base import Shown


class ErasureView(Shown):
    """What was erased. Said again, nothing more is found."""

    orders: int = Field(description="Of which nobody knows any more who bought them")
    kept_for_documents: int = Field(description="Of these, with a name and an address on their tax documents")
    documents_until: datetime | None = Field(description="Until when; null: nothing is kept")
