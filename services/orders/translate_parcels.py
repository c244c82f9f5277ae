"""Protobuf messages of parcels on their way to domain records and back."""

from kit import times
from kit.values.money import Money
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.changing import Asked
from services.orders.domain.model import Parcel, Proof
from services.orders.domain.parcels import Scan
from services.orders.wire import asked, from_instant, from_money


def to_scan(message: pb.RecordCarrierEventRequest) -> Scan:
    proof = message.proof
    return Scan(
        event_id=message.request_id,
        tracking_code=message.tracking_code,
        status=message.status,
        occurred_at=times.field_or_now(message, "occurred_at"),
        reason=message.reason,
        proof=Proof(proof.signed, proof.photo_reference) if message.HasField("proof") else None,
    )


def asked_by(carrier_id: str, scan: Scan) -> Asked:
    """The request that a scan is, by whatever way it comes: posted, asked for, or told by RPC."""
    proof = scan.proof
    return asked(
        pb.RecordCarrierEventRequest(
            request_id=scan.event_id,
            carrier_id=carrier_id,
            tracking_code=scan.tracking_code,
            status=scan.status,
            reason=scan.reason,
            proof=pb.DeliveryProof(signed=proof.signed, photo_reference=proof.photo_reference) if proof else None,
        )
    )


def from_parcel(parcel: Parcel) -> pb.Parcel:
    loss, proof = parcel.loss, parcel.proof
    return pb.Parcel(
        parcel_id=parcel.parcel_id,
        amount=from_money(Money(parcel.amount_minor, parcel.currency)),
        tracking_code=parcel.tracking_code,
        capture_state=parcel.capture_state.value,
        weight_grams=parcel.weight_grams,
        box_id=parcel.box_id,
        capture_reason=parcel.capture_reason,
        capture_failed_since=from_instant(parcel.capture_failed_since),
        capture_next_try_at=from_instant(parcel.capture_next_try_at),
        shipping=from_money(Money(parcel.shipping_minor, parcel.currency)),
        handed_over_at=from_instant(parcel.handed_over_at),
        delivered_at=from_instant(parcel.delivered_at),
        heard_at=from_instant(parcel.heard_at),
        out_for_delivery_at=from_instant(parcel.out_for_delivery_at),
        failed_deliveries=parcel.failed_deliveries,
        delivery_failed_at=from_instant(parcel.delivery_failed_at),
        failure_reason=parcel.failure_reason,
        proof=pb.DeliveryProof(signed=proof.signed, photo_reference=proof.photo_reference) if proof else None,
        loss=pb.ParcelLoss(
            at=from_instant(loss.at),
            source=loss.source,
            decide_by=from_instant(loss.decide_by),
            decision=loss.decision,
            turned_up_at=from_instant(loss.turned_up_at),
        )
        if loss
        else None,
        returning_at=from_instant(parcel.returning_at),
        returned_at=from_instant(parcel.returned_at),
    )
