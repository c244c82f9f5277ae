"""Domain records as JSON and back: for the jsonb that the store writes and for answers that are remembered."""

from typing import Any

from pydantic import TypeAdapter

from services.orders.domain.document import DocumentContent, Seller
from services.orders.domain.fraud_policy import FraudCheck
from services.orders.domain.model import (
    Address,
    Appointment,
    Buyer,
    Charge,
    Content,
    Customer,
    CustomerChoice,
    DocumentTerms,
    Fulfilment,
    FulfilmentLine,
    Hold,
    LifeCycle,
    Line,
    Offer,
    Order,
    OrderChange,
    Parcel,
    PaymentTerms,
    PersonalText,
    PromiseChange,
    Refund,
    Refusal,
    SalesChannel,
    Trade,
    Trial,
)
from services.orders.domain.notifications import Notification
from services.orders.domain.ranges import LineRange

APPOINTMENT = TypeAdapter(Appointment)
BUYER = TypeAdapter(Buyer)
CHANGE = TypeAdapter(OrderChange)
CHANGES = TypeAdapter(tuple[OrderChange, ...])
CHARGE = TypeAdapter(Charge)
CHOICES = TypeAdapter(tuple[CustomerChoice, ...])
CONTENT = TypeAdapter(Content)
CUSTOMER = TypeAdapter(Customer)
ADDRESS = TypeAdapter(Address)
DOCUMENT_CONTENT = TypeAdapter(DocumentContent)
DOCUMENT_TERMS = TypeAdapter(DocumentTerms)
FRAUD_CHECK = TypeAdapter(FraudCheck)
FULFILMENT = TypeAdapter(Fulfilment)
FULFILMENTS = TypeAdapter(tuple[Fulfilment, ...])
FULFILMENT_LINES = TypeAdapter(tuple[FulfilmentLine, ...])
HOLDS = TypeAdapter(tuple[Hold, ...])
HOLD = TypeAdapter(Hold)
LIFE_CYCLE = TypeAdapter(LifeCycle)
LINE = TypeAdapter(Line)
NOTIFICATION = TypeAdapter(Notification)
OFFER = TypeAdapter(Offer)
ORDER = TypeAdapter(Order)
PARCEL = TypeAdapter(Parcel)
PAYMENT = TypeAdapter(PaymentTerms)
PERSONAL_TEXTS = TypeAdapter(tuple[PersonalText, ...])
PROMISE_CHANGES = TypeAdapter(tuple[PromiseChange, ...])
RANGE = TypeAdapter(LineRange)
REFUND = TypeAdapter(Refund)
REFUSAL = TypeAdapter(Refusal)
SALES_CHANNEL = TypeAdapter(SalesChannel)
TRADES = TypeAdapter(tuple[Trade, ...])
TRIAL = TypeAdapter(Trial)
SELLER = TypeAdapter(Seller)


def to_json(adapter: TypeAdapter[Any], record: object) -> Any:
    """A record as what json.dumps takes."""
    return adapter.dump_python(record, mode="json")
