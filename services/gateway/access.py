"""What a caller may do: which roles may call which endpoint, and which orders, points and channels they see.

The one table of rights. Never asks a service and never reads a token.
"""

from collections.abc import Iterable, Sequence

from kit.errors import NotFound, PermissionDenied
from oms.inventory.v1 import transfer_service_pb2 as transfers
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import ALL, Caller, Role

PUBLIC: frozenset[Role] = frozenset()
"""No token is asked for; the endpoint proves its caller by other means (or has nothing to hide)."""

_PLACING = frozenset({Role.CHANNEL, Role.CUSTOMER_SERVICE})
_READING_ORDERS = _PLACING | {Role.SUPPLY_CHAIN, Role.FINANCE, Role.OPERATOR}
_SELLING = _PLACING | {Role.STORE, Role.SUPPLY_CHAIN}
# The rule of each hold says which of them may.
_DECIDING = _PLACING | {Role.SUPPLY_CHAIN}
_STORE_AND_SERVICE = frozenset({Role.STORE, Role.CUSTOMER_SERVICE})
_STORE = frozenset({Role.STORE})
_MONEY = frozenset({Role.FINANCE, Role.CUSTOMER_SERVICE})
_FINANCE = frozenset({Role.FINANCE})
_DOCUMENTS = _PLACING | _FINANCE
_NETWORK = frozenset({Role.SUPPLY_CHAIN})
_OPERATOR = frozenset({Role.OPERATOR})
SERVICE = frozenset({Role.CUSTOMER_SERVICE})
_TRANSFERS = frozenset({Role.STORE, Role.SUPPLY_CHAIN})
_SHELF = _STORE | _NETWORK
_ASSIGNING = frozenset({Role.SUPPLY_CHAIN, Role.CUSTOMER_SERVICE})
_READING_DECISIONS = frozenset({Role.SUPPLY_CHAIN, Role.CUSTOMER_SERVICE})
_CARRIER = frozenset({Role.CARRIER})
_STEERING = frozenset({Role.SUPPLY_CHAIN, Role.CUSTOMER_SERVICE, Role.OPERATOR})
_READING_BOOKINGS = _PLACING | _NETWORK | _OPERATOR | _CARRIER
_MEETING = _CARRIER | {Role.CUSTOMER_SERVICE}

ACCESS: dict[tuple[str, str], frozenset[Role]] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/console"): PUBLIC,
    ("GET", "/console/style.css"): PUBLIC,
    ("POST", "/console/login"): PUBLIC,
    ("POST", "/console/logout"): PUBLIC,
    # Whoever has a payment link may pay.
    ("GET", "/pay/{token}"): PUBLIC,
    # Whoever has an order's signed link is its customer.
    ("GET", "/track/{token}"): PUBLIC,
    ("GET", "/track/{token}/cancel"): PUBLIC,
    ("POST", "/track/{token}/cancel"): PUBLIC,
    ("GET", "/console/track.css"): PUBLIC,
    ("GET", "/console/store.css"): PUBLIC,
    ("GET", "/console/store.js"): PUBLIC,
    ("GET", "/console/store-worker.js"): PUBLIC,
    ("GET", "/console/store"): _STORE,
    ("GET", "/console/store/{point_id}"): _STORE,
    ("GET", "/console/store/{point_id}/live"): _STORE,
    ("GET", "/console/store/{point_id}/arrivals"): _STORE,
    ("POST", "/console/store/{point_id}/arrivals"): _STORE,
    ("GET", "/console/store/{point_id}/work/{fulfilment_id}"): _STORE,
    ("POST", "/console/store/{point_id}/work/{fulfilment_id}"): _STORE,
    ("GET", "/console/store/{point_id}/work/{fulfilment_id}/label.pdf"): _STORE,
    ("GET", "/console/store/{point_id}/work/{fulfilment_id}/packing-slip.pdf"): _STORE,
    ("GET", "/console/store/{point_id}/counter"): _STORE,
    ("POST", "/console/store/{point_id}/counter"): _STORE,
    ("GET", "/console/store/{point_id}/counter/{fulfilment_id}"): _STORE,
    ("POST", "/console/store/{point_id}/counter/{fulfilment_id}"): _STORE,
    ("POST", "/console/store/{point_id}/pick-lists"): _STORE,
    ("GET", "/console/store/{point_id}/pick-lists/{pick_list_id}"): _STORE,
    ("POST", "/console/store/{point_id}/pick-lists/{pick_list_id}"): _STORE,
    ("GET", "/console/store/{point_id}/pick-lists/{pick_list_id}/print.pdf"): _STORE,
    ("GET", "/console/store/{point_id}/shelf"): _STORE,
    ("POST", "/console/store/{point_id}/shelf"): _STORE,
    ("GET", "/console/store/{point_id}/manifests"): _STORE,
    ("POST", "/console/store/{point_id}/manifests"): _STORE,
    ("GET", "/console/store/{point_id}/manifests/{manifest_id}/print.pdf"): _STORE,
    # A console page asks for the rights of the endpoint that tells the same.
    ("GET", "/console/orders"): _READING_ORDERS,
    ("GET", "/console/orders/{order_id}"): _READING_ORDERS,
    ("GET", "/console/dashboard"): _STEERING,
    ("GET", "/console/finance"): _FINANCE,
    ("GET", "/console/finance/export"): _FINANCE,
    ("GET", "/console/documents/{number}"): _DOCUMENTS,
    # Each act on the desk asks for the rights of its own endpoint besides.
    ("GET", "/console/service.css"): PUBLIC,
    ("GET", "/console/service"): _ASSIGNING,
    ("POST", "/console/service"): _ASSIGNING,
    ("GET", "/console/service/bulk"): _ASSIGNING,
    ("POST", "/console/service/bulk"): _ASSIGNING,
    ("GET", "/console/service/bulk/{bulk_id}"): _ASSIGNING,
    ("GET", "/console/service/bulk/{bulk_id}/results.csv"): _ASSIGNING,
    ("POST", "/console/service/bulk/{bulk_id}/stop"): _ASSIGNING,
    ("POST", "/console/service/customers"): SERVICE,
    ("GET", "/console/service/customers/{customer_id}"): SERVICE,
    ("GET", "/console/service/orders/{order_id}"): _ASSIGNING,
    ("GET", "/console/service/orders/{order_id}/customer"): SERVICE,
    ("GET", "/console/service/orders/{order_id}/decisions/{decision_id}"): _READING_DECISIONS,
    ("GET", "/console/service/orders/{order_id}/acts/{act}"): _ASSIGNING,
    ("POST", "/console/service/orders/{order_id}/acts/{act}"): _ASSIGNING,
    ("GET", "/v1/blocked-orders"): _ASSIGNING,
    ("GET", "/v1/orders/{order_id}/acts"): _ASSIGNING,
    ("GET", "/v1/orders/{order_id}/customer"): SERVICE,
    ("GET", "/v1/customers/{customer_id}/orders"): SERVICE,
    ("POST", "/v1/customers/search"): SERVICE,
    ("POST", "/v1/customers/{customer_id}/erasure"): SERVICE,
    ("POST", "/v1/orders/{order_id}/customer/erasure"): SERVICE,
    # The rules of each hold say who may let it go; who cancels is asked for in the route.
    ("POST", "/v1/bulk-actions"): _ASSIGNING,
    ("GET", "/v1/bulk-actions/{bulk_id}"): _ASSIGNING,
    ("GET", "/v1/bulk-actions/{bulk_id}/results"): _ASSIGNING,
    ("GET", "/v1/bulk-actions/{bulk_id}/results.csv"): _ASSIGNING,
    ("POST", "/v1/bulk-actions/{bulk_id}/stop"): _ASSIGNING,
    ("POST", "/v1/orders"): _PLACING,
    ("GET", "/v1/orders"): _READING_ORDERS,
    ("GET", "/v1/orders/{order_id}"): _READING_ORDERS,
    ("POST", "/v1/orders/{order_id}/cancel"): _PLACING,
    ("POST", "/v1/orders/{order_id}/appointment"): _PLACING,
    ("POST", "/v1/orders/{order_id}/customer-link"): _PLACING,
    ("GET", "/v1/orders/{order_id}/timeline"): _READING_ORDERS,
    ("GET", "/v1/orders/{order_id}/payment"): _MONEY,
    ("POST", "/v1/orders/{order_id}/payment-links"): _MONEY,
    ("POST", "/v1/orders/{order_id}/holds"): SERVICE,
    ("POST", "/v1/orders/{order_id}/holds/{hold_id}/release"): _DECIDING,
    ("POST", "/v1/orders/{order_id}/holds/{hold_id}/extend"): _DECIDING,
    ("POST", "/v1/orders/{order_id}/holds/{hold_id}/refuse"): _DECIDING,
    ("GET", "/v1/reviews"): SERVICE,
    ("POST", "/v1/orders/{order_id}/lines/cancel"): _PLACING,
    ("PATCH", "/v1/orders/{order_id}/address"): _PLACING,
    ("PUT", "/v1/orders/{order_id}/content"): _PLACING,
    ("POST", "/v1/orders/{order_id}/plan-again"): _ASSIGNING,
    ("GET", "/v1/orders/{order_id}/changes/{change_id}"): _READING_ORDERS,
    ("POST", "/v1/orders/{order_id}/trial"): _PLACING,
    ("POST", "/v1/orders/{order_id}/trial/returns"): _STORE_AND_SERVICE,
    ("GET", "/v1/orders/{order_id}/notifications"): _PLACING,
    ("POST", "/v1/orders/{order_id}/notifications/{notification_id}/resend"): SERVICE,
    ("GET", "/v1/orders/{order_id}/collection-codes"): _PLACING,
    ("POST", "/v1/orders/{order_id}/collection-choice"): _PLACING,
    ("GET", "/v1/orders/{order_id}/no-shows"): _PLACING,
    ("GET", "/v1/collections/no-shows"): _SHELF | SERVICE,
    ("GET", "/v1/points/{point_id}/put-backs"): _STORE_AND_SERVICE,
    ("POST", "/v1/points/{point_id}/find-collection"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/ready"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/compartment"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/take-out"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/collect"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/put-back"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/unlock-collection"): SERVICE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/extend-collection"): SERVICE,
    ("POST", "/v1/orders/{order_id}/refunds"): _MONEY,
    ("GET", "/v1/orders/{order_id}/refunds"): _MONEY,
    ("POST", "/v1/orders/{order_id}/refunds/{refund_id}/retry"): _MONEY,
    ("GET", "/v1/orders/{order_id}/documents"): _DOCUMENTS,
    ("GET", "/v1/documents"): _FINANCE,
    ("GET", "/v1/documents/export"): _FINANCE,
    ("GET", "/v1/documents/{number}"): _DOCUMENTS,
    ("GET", "/v1/documents/{number}/page"): _DOCUMENTS,
    ("POST", "/v1/orders/{order_id}/capture-retry"): _MONEY,
    ("POST", "/v1/orders/{order_id}/capture-override"): _MONEY,
    ("GET", "/v1/orders/{order_id}/decisions"): _READING_DECISIONS,
    ("GET", "/v1/decisions/{decision_id}"): _READING_DECISIONS,
    ("GET", "/v1/decisions/{decision_id}/explanation"): _READING_DECISIONS,
    ("GET", "/v1/channels/{channel_id}/availability"): _SELLING,
    ("GET", "/v1/channels/{channel_id}/image"): _SELLING,
    ("GET", "/v1/channels/{channel_id}/image/changes"): _SELLING,
    ("GET", "/v1/channels/{channel_id}/image/stream"): _SELLING,
    ("GET", "/v1/channels/{channel_id}/image.ndjson"): _SELLING,
    ("GET", "/v1/channels/{channel_id}/image.csv"): _SELLING,
    ("PUT", "/v1/channels/{channel_id}/baskets/{basket_id}"): _PLACING,
    ("GET", "/v1/channels/{channel_id}/baskets/{basket_id}"): _PLACING,
    ("DELETE", "/v1/channels/{channel_id}/baskets/{basket_id}"): _PLACING,
    ("POST", "/v1/channels/{channel_id}/baskets/{basket_id}/extend"): _PLACING,
    ("POST", "/v1/promises"): _SELLING,
    ("POST", "/v1/promises/listing"): _SELLING,
    ("GET", "/v1/points/{point_id}/work"): _STORE_AND_SERVICE,
    ("GET", "/v1/fulfilments/{fulfilment_id}"): _STORE_AND_SERVICE,
    ("GET", "/v1/fulfilments/{fulfilment_id}/label"): _STORE_AND_SERVICE,
    ("GET", "/v1/fulfilments/{fulfilment_id}/boxes"): _STORE_AND_SERVICE,
    ("GET", "/v1/fulfilments/{fulfilment_id}/substitutes"): _STORE_AND_SERVICE,
    ("GET", "/v1/fulfilments/{fulfilment_id}/packing-slip"): _STORE_AND_SERVICE,
    ("GET", "/v1/points/{point_id}/arrivals"): _STORE_AND_SERVICE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/receive"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/accept"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/refuse"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/pick"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/personalisation-begin"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/personalisation-complete"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/personalisation-spoiled"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/pack"): _STORE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/hand-over"): _STORE,
    ("POST", "/v1/points/{point_id}/pick-lists"): _STORE,
    ("GET", "/v1/points/{point_id}/pick-lists"): _STORE_AND_SERVICE,
    ("GET", "/v1/pick-lists/{pick_list_id}"): _STORE_AND_SERVICE,
    ("GET", "/v1/pick-lists/{pick_list_id}/print"): _STORE_AND_SERVICE,
    ("POST", "/v1/pick-lists/{pick_list_id}/put-back"): _STORE,
    ("POST", "/v1/pick-lists/{pick_list_id}/finish"): _STORE,
    ("POST", "/v1/points/{point_id}/manifests"): _STORE,
    ("GET", "/v1/points/{point_id}/manifests"): _STORE_AND_SERVICE,
    ("GET", "/v1/manifests/{manifest_id}"): _STORE_AND_SERVICE,
    ("GET", "/v1/manifests/{manifest_id}/print"): _STORE_AND_SERVICE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/capture-override"): _MONEY,
    ("POST", "/v1/fulfilments/{fulfilment_id}/capture-retry"): _MONEY,
    ("POST", "/v1/fulfilments/{fulfilment_id}/give-up"): _MONEY,
    ("POST", "/v1/fulfilments/{fulfilment_id}/declare-lost"): SERVICE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/decide"): SERVICE,
    ("POST", "/v1/fulfilments/{fulfilment_id}/assign"): _ASSIGNING,
    ("GET", "/v1/offers"): _ASSIGNING,
    ("GET", "/v1/figures/stages"): _STEERING,
    ("GET", "/v1/figures/offers"): _STEERING,
    ("GET", "/v1/figures/picks"): _STEERING,
    ("GET", "/v1/figures/promises"): _STEERING,
    ("GET", "/v1/figures/lead-times"): _STEERING,
    ("POST", "/v1/carrier-events"): frozenset({Role.CARRIER}),
    # Its caller is proven by the carrier's signature over the body, which orders checks.
    ("POST", "/v1/carriers/{carrier_id}/events"): PUBLIC,
    # Its caller is proven by the signature of the lockers over the body, which orders checks.
    ("POST", "/v1/lockers/{point_id}/events"): PUBLIC,
    # Its caller is proven by the provider's signature over the body, which payments checks.
    ("POST", "/v1/payment-providers/{provider}/events"): PUBLIC,
    ("PUT", "/v1/handover-systems"): _NETWORK,
    ("GET", "/v1/handover-systems"): _NETWORK | _OPERATOR,
    ("GET", "/v1/handovers"): _NETWORK | _OPERATOR,
    ("GET", "/v1/handovers/{fulfilment_id}"): _NETWORK | _OPERATOR,
    ("POST", "/v1/handover-alerts/{alert_id}/close"): _NETWORK | _OPERATOR,
    # Its caller is proven by the system's signature over the body, which handover checks.
    ("POST", "/v1/handover/{system_id}/messages"): PUBLIC,
    ("GET", "/v1/payment-tasks"): _MONEY,
    ("POST", "/v1/payment-tasks/{task_id}/resolve"): _MONEY,
    ("GET", "/v1/payment-operations"): _FINANCE,
    ("GET", "/v1/payment-operations/export"): _FINANCE,
    ("GET", "/v1/payment-totals"): _FINANCE,
    ("POST", "/v1/settlements"): _FINANCE,
    ("GET", "/v1/settlements"): _FINANCE,
    ("GET", "/v1/settlements/{settlement_id}"): _FINANCE,
    ("GET", "/v1/settlement-differences"): _FINANCE,
    ("POST", "/v1/settlement-differences/{difference_id}/resolve"): _FINANCE,
    ("POST", "/v1/stored-value"): _MONEY,
    ("GET", "/v1/stored-value"): _MONEY,
    ("POST", "/v1/stored-value/check"): _PLACING,
    ("GET", "/v1/stored-value/{instrument_id}"): _MONEY,
    ("GET", "/v1/stored-value/{instrument_id}/movements"): _MONEY,
    ("POST", "/v1/stored-value/{instrument_id}/freeze"): _MONEY,
    ("POST", "/v1/stored-value/{instrument_id}/unfreeze"): _MONEY,
    ("POST", "/v1/stored-value/{instrument_id}/adjust"): _MONEY,
    ("POST", "/v1/stored-value/{instrument_id}/code"): _MONEY,
    ("POST", "/v1/webhook-endpoints"): _OPERATOR,
    ("GET", "/v1/webhook-endpoints"): _OPERATOR,
    ("DELETE", "/v1/webhook-endpoints/{endpoint_id}"): _OPERATOR,
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/replay"): _OPERATOR,
    ("GET", "/v1/webhook-deliveries"): _OPERATOR,
    ("GET", "/v1/checks/stock"): _OPERATOR,
    ("GET", "/v1/checks/orders"): _OPERATOR,
    ("GET", "/v1/checks/holds"): _OPERATOR,
    ("GET", "/v1/checks/room"): _OPERATOR,
    ("GET", "/v1/checks/appointments"): _OPERATOR,
    ("GET", "/v1/checks/workflows"): _OPERATOR,
    ("GET", "/v1/checks/stories"): _OPERATOR,
    ("GET", "/v1/checks/payments"): _OPERATOR,
    ("GET", "/v1/checks/events"): _OPERATOR,
    ("PUT", "/v1/items"): _NETWORK,
    ("GET", "/v1/items"): _SHELF,
    ("PUT", "/v1/stock-points"): _NETWORK,
    ("GET", "/v1/stock-points"): _NETWORK,
    ("PUT", "/v1/channels"): _NETWORK,
    ("GET", "/v1/channels"): _NETWORK,
    ("GET", "/v1/setting-versions"): _NETWORK | _OPERATOR,
    ("GET", "/v1/life-cycles"): _NETWORK | _OPERATOR,
    ("GET", "/v1/life-cycles/{life_cycle_id}"): _NETWORK | _OPERATOR,
    ("PUT", "/v1/life-cycles/{life_cycle_id}"): _NETWORK | _OPERATOR,
    ("PUT", "/v1/carriers"): _NETWORK,
    ("GET", "/v1/carriers"): _NETWORK,
    ("PUT", "/v1/boxes"): _NETWORK,
    ("GET", "/v1/boxes"): _NETWORK,
    ("PUT", "/v1/capacity/limits"): _NETWORK,
    ("POST", "/v1/capacity/limits/remove"): _NETWORK,
    ("GET", "/v1/capacity/limits"): _NETWORK,
    ("GET", "/v1/points/{point_id}/capacity"): _SHELF,
    ("PUT", "/v1/slot-patterns"): _NETWORK,
    ("GET", "/v1/slot-patterns"): _NETWORK | _CARRIER,
    ("GET", "/v1/slot-patterns/{pattern_id}/versions"): _NETWORK | _CARRIER,
    ("GET", "/v1/delivery-slots"): _SELLING | _CARRIER,
    ("POST", "/v1/delivery-slots/{slot_id}/holds"): _PLACING,
    ("GET", "/v1/bookings"): _READING_BOOKINGS,
    ("GET", "/v1/bookings/{booking_id}"): _READING_BOOKINGS,
    ("POST", "/v1/bookings/{booking_id}/release"): _PLACING,
    ("POST", "/v1/bookings/{booking_id}/kept"): _MEETING,
    ("POST", "/v1/bookings/{booking_id}/missed"): _MEETING,
    ("POST", "/v1/points/{point_id}/declarations"): _SHELF,
    ("GET", "/v1/points/{point_id}/declarations"): _SHELF,
    ("POST", "/v1/declarations/{declaration_id}/release"): _SHELF,
    ("POST", "/v1/points/{point_id}/till-sales"): _SHELF,
    ("POST", "/v1/points/{point_id}/till-returns"): _SHELF,
    ("POST", "/v1/points/{point_id}/end-of-day"): _SHELF,
    ("GET", "/v1/points/{point_id}/adjustment-reports"): _SHELF,
    ("GET", "/v1/adjustment-reports/{report_id}"): _SHELF,
    ("GET", "/v1/adjustment-reports/{report_id}/lines.csv"): _SHELF,
    ("GET", "/v1/adjustment-reports/{report_id}/lines.ndjson"): _SHELF,
    ("POST", "/v1/points/{point_id}/receipts"): _SHELF,
    ("GET", "/v1/points/{point_id}/receipts"): _SHELF,
    ("POST", "/v1/points/{point_id}/counts"): _SHELF,
    ("GET", "/v1/points/{point_id}/counts"): _SHELF,
    ("GET", "/v1/counts/{count_id}"): _SHELF,
    ("POST", "/v1/counts/{count_id}/lines"): _SHELF,
    ("POST", "/v1/counts/{count_id}/close"): _SHELF,
    ("POST", "/v1/counts/{count_id}/cancel"): _SHELF,
    ("POST", "/v1/stock/adjustments"): _NETWORK,
    ("GET", "/v1/stock/balances"): _NETWORK,
    ("GET", "/v1/stock/movements"): _NETWORK,
    ("PUT", "/v1/lanes"): _NETWORK,
    ("GET", "/v1/lanes"): _NETWORK,
    ("DELETE", "/v1/lanes/{lane_id}"): _NETWORK,
    ("GET", "/v1/lanes/{lane_id}/schedule"): _NETWORK,
    ("POST", "/v1/transfers"): _NETWORK,
    ("GET", "/v1/transfers"): _TRANSFERS,
    ("GET", "/v1/transfers/{transfer_id}"): _TRANSFERS,
    ("POST", "/v1/transfers/{transfer_id}/dispatch"): _TRANSFERS,
    ("POST", "/v1/transfers/{transfer_id}/receive"): _TRANSFERS,
    ("POST", "/v1/transfers/{transfer_id}/settle"): _NETWORK,
    ("POST", "/v1/transfers/{transfer_id}/cancel"): _NETWORK,
    ("GET", "/v1/stock/in-transit"): _TRANSFERS,
    ("POST", "/v1/pauses"): _NETWORK,
    ("GET", "/v1/pauses"): _NETWORK,
    ("POST", "/v1/pauses/{pause_id}/lift"): _NETWORK,
    ("PUT", "/v1/expected-deliveries"): _NETWORK,
    ("GET", "/v1/expected-deliveries"): _NETWORK | _STORE,
    ("POST", "/v1/expected-deliveries/{delivery_id}/receive"): _NETWORK | _STORE,
    ("POST", "/v1/expected-deliveries/{delivery_id}/cancel"): _NETWORK,
    ("PUT", "/v1/channels/{channel_id}/future-rules"): _NETWORK,
    ("GET", "/v1/channels/{channel_id}/future-rules"): _NETWORK,
    ("GET", "/v1/channels/{channel_id}/future-availability"): _SELLING,
    ("PUT", "/v1/preorders"): _NETWORK,
    ("GET", "/v1/preorders"): _NETWORK,
    ("PUT", "/v1/merchandising/facts"): _NETWORK,
    ("GET", "/v1/merchandising/facts"): _SHELF,
    ("GET", "/v1/merchandising/facts/versions"): _SHELF,
    ("GET", "/v1/merchandising/cover"): _SHELF,
    ("GET", "/v1/merchandising/find-rates"): _SHELF,
    ("POST", "/v1/stock/imports"): _NETWORK,
    ("GET", "/v1/stock/imports"): _NETWORK | _OPERATOR,
    ("GET", "/v1/stock/imports/{job_id}"): _NETWORK | _OPERATOR,
    ("GET", "/v1/stock/imports/{job_id}/rejections"): _NETWORK | _OPERATOR,
    ("POST", "/v1/stock/imports/{job_id}/cancel"): _NETWORK,
    ("GET", "/v1/rulesets"): _READING_DECISIONS,
    ("GET", "/v1/rulesets/{ruleset_id}"): _READING_DECISIONS,
    ("GET", "/v1/rulesets/{ruleset_id}/versions"): _READING_DECISIONS,
    ("GET", "/v1/rulesets/{ruleset_id}/versions/{version}"): _READING_DECISIONS,
    ("GET", "/v1/rulesets/{ruleset_id}/changes"): _READING_DECISIONS,
    ("GET", "/v1/rulesets/{ruleset_id}/differences"): _READING_DECISIONS,
    ("POST", "/v1/rulesets/{ruleset_id}/check"): _NETWORK,
    ("PUT", "/v1/rulesets/{ruleset_id}/draft"): _NETWORK,
    ("POST", "/v1/rulesets/{ruleset_id}/draft/discard"): _NETWORK,
    ("POST", "/v1/rulesets/{ruleset_id}/draft/publish"): _NETWORK,
    ("POST", "/v1/rulesets/{ruleset_id}/versions/{version}/withdraw"): _NETWORK,
    ("POST", "/v1/rulesets/{ruleset_id}/versions/{version}/roll-back"): _NETWORK,
    ("POST", "/v1/simulations/files"): _NETWORK,
    ("POST", "/v1/simulations"): _NETWORK,
    ("GET", "/v1/simulations"): _NETWORK | _OPERATOR,
    ("GET", "/v1/simulations/{simulation_id}"): _NETWORK | _OPERATOR,
    ("POST", "/v1/simulations/{simulation_id}/cancel"): _NETWORK,
    ("POST", "/v1/simulations/{simulation_id}/restart"): _NETWORK,
}

# These see every channel's orders and every point's work; a channel or store in their token does not narrow them.
_ALL_CHANNELS = frozenset({Role.CUSTOMER_SERVICE, Role.SUPPLY_CHAIN, Role.FINANCE, Role.OPERATOR})
PLANNERS = _NETWORK
MONEY = _MONEY
ASSIGNING = _ASSIGNING


def check_role(caller: Caller, allowed: frozenset[Role]) -> None:
    """Raises PermissionDenied / ROLE_NOT_ALLOWED."""
    if not caller.roles & allowed:
        raise PermissionDenied("ROLE_NOT_ALLOWED", f"this needs one of the roles: {', '.join(sorted(allowed))}")


def channels_seen(caller: Caller) -> frozenset[str] | None:
    """The channels whose orders the caller may see; None for all."""
    if caller.roles & _ALL_CHANNELS or (Role.CHANNEL in caller.roles and ALL in caller.channels):
        return None
    return caller.channels if Role.CHANNEL in caller.roles else frozenset()


def booking_channels(caller: Caller) -> frozenset[str] | None:
    """The channels whose bookings the caller may see; None for all, as for the carriers who come."""
    return None if Role.CARRIER in caller.roles else channels_seen(caller)


def brands_seen(caller: Caller) -> frozenset[str] | None:
    """The brands that the caller is limited to; None for all."""
    return None if not caller.brands or ALL in caller.brands else caller.brands


def check_all_brands(caller: Caller) -> None:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED: what belongs to no brand is not one brand's to change."""
    if brands_seen(caller) is not None:
        raise PermissionDenied("BRAND_NOT_ALLOWED", "a token limited to brands may not do this")


def speaks_for(caller: Caller, channel_id: str) -> bool:
    """Whether the caller acts for the channel's customers: places, cancels, sees names and addresses."""
    if Role.CUSTOMER_SERVICE in caller.roles:
        return True
    return Role.CHANNEL in caller.roles and (ALL in caller.channels or channel_id in caller.channels)


def knows_buyer(caller: Caller, channel_id: str) -> bool:
    """Whether the caller sees for whom a tax document is: who acts for the buyer, and finance."""
    return Role.FINANCE in caller.roles or speaks_for(caller, channel_id)


def check_speaks_for(caller: Caller, channel_id: str) -> None:
    """Raises PermissionDenied / CHANNEL_NOT_ALLOWED."""
    if not speaks_for(caller, channel_id):
        raise PermissionDenied("CHANNEL_NOT_ALLOWED", "the token does not name this channel", field="channel_id")


def check_decides_for(caller: Caller, channel_id: str) -> None:
    """Raises PermissionDenied / CHANNEL_NOT_ALLOWED for a channel whose orders are others' to decide on."""
    if Role.SUPPLY_CHAIN not in caller.roles:
        check_speaks_for(caller, channel_id)


def reviews(caller: Caller) -> bool:
    """Whether the caller reviews orders: who knows the fraud rules could teach how to keep below them."""
    return bool(caller.roles & SERVICE)


def check_asks_for(caller: Caller, channel_id: str) -> None:
    """Raises PermissionDenied / CHANNEL_NOT_ALLOWED when the channel's stock and promises are not the caller's."""
    if not caller.roles & {Role.STORE, Role.SUPPLY_CHAIN}:
        check_speaks_for(caller, channel_id)


def check_brands(caller: Caller, brands: Iterable[str]) -> None:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED when none of the brands is the caller's."""
    seen = brands_seen(caller)
    if seen is not None and not seen & set(brands):
        raise PermissionDenied("BRAND_NOT_ALLOWED", "no line is of a brand that the token names", field="lines")


def check_every_brand(caller: Caller) -> None:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED for a token limited to brands: the thing is no brand's."""
    if brands_seen(caller) is not None:
        raise PermissionDenied("BRAND_NOT_ALLOWED", "stored value is of no brand; the token is limited to some")


def check_order(caller: Caller, order: orders.Order) -> None:
    """Raises NotFound / ORDER_NOT_FOUND, as if it did not exist, for an order that the caller may not see."""
    channels, brands = channels_seen(caller), brands_seen(caller)
    hidden = channels is not None and order.content.channel_id not in channels
    if hidden or (brands is not None and not brands & {line.brand for line in order.content.lines}):
        raise NotFound("ORDER_NOT_FOUND", "no such order")


def check_every_order(caller: Caller) -> None:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED for who does not see every order: a set may hold any."""
    if not sees_every_order(caller):
        raise PermissionDenied("BRAND_NOT_ALLOWED", "a token limited to brands may not act on sets of orders")


def sees_every_order(caller: Caller) -> bool:
    """Whether no order is hidden from the caller, so that none needs to be looked at first."""
    return channels_seen(caller) is None and brands_seen(caller) is None


def points_worked(caller: Caller, others: frozenset[Role]) -> frozenset[str] | None:
    """The points whose work is the caller's: its own stores; None for all, as for the roles in `others`."""
    if caller.roles & others or (Role.STORE in caller.roles and ALL in caller.stores):
        return None
    return caller.stores if Role.STORE in caller.roles else frozenset()


def check_point(caller: Caller, point_id: str, others: frozenset[Role] = SERVICE) -> None:
    """Raises PermissionDenied / POINT_NOT_ALLOWED when the point's work is not the caller's.

    `others`: roles beside the point's own people.
    """
    points = points_worked(caller, others)
    if points is not None and point_id not in points:
        raise PermissionDenied("POINT_NOT_ALLOWED", "the token does not name this point", field="point_id")


def points_asked(caller: Caller, asked: Sequence[str]) -> list[str] | None:
    """The points to look at, of those asked for; empty for all, None for a caller who has none.

    Raises PermissionDenied / POINT_NOT_ALLOWED when one asked for is not the caller's.
    """
    mine = points_worked(caller, PLANNERS)
    if mine is None:
        return list(asked)
    for point_id in asked:
        check_point(caller, point_id, PLANNERS)
    return list(asked) or sorted(mine) or None


def check_transfer(caller: Caller, found: transfers.Transfer) -> None:
    """Raises NotFound / TRANSFER_NOT_FOUND for a transfer that neither begins nor ends at the caller's points."""
    points = points_worked(caller, PLANNERS)
    if points is not None and not points & {found.origin_id, found.destination_id}:
        # Word for word what inventory says of a transfer that does not exist.
        raise NotFound("TRANSFER_NOT_FOUND", "there is no such transfer", transfer_id=found.transfer_id)


def check_fulfilment(caller: Caller, found: orders.GetFulfilmentResponse, others: frozenset[Role]) -> None:
    """Raises NotFound / FULFILMENT_NOT_FOUND for work that is not the caller's.

    `others`: roles beside the point's own people that may see it or act on it.
    """
    points, brands = points_worked(caller, others), brands_seen(caller)
    hidden = points is not None and found.fulfilment.point_id not in points
    if hidden or (brands is not None and not brands & set(found.brands)):
        raise _no_fulfilment(found.fulfilment.fulfilment_id)


def reach(caller: Caller, fulfilment_id: str, others: frozenset[Role]) -> orders.Reach:
    """Whose work the caller may act on, for orders to hold him to.

    Raises NotFound / FULFILMENT_NOT_FOUND when that is nobody's: no points in a Reach would mean every point.
    """
    points, brands = points_worked(caller, others), brands_seen(caller)
    if points is not None and not points:
        raise _no_fulfilment(fulfilment_id)
    return orders.Reach(point_ids=sorted(points or ()), brands=sorted(brands or ()))


def reach_of_point(caller: Caller, point_id: str, others: frozenset[Role]) -> orders.Reach:
    """The same for what several works of a point make up. Raises PermissionDenied / POINT_NOT_ALLOWED."""
    check_point(caller, point_id, others)
    return orders.Reach(point_ids=[point_id], brands=sorted(brands_seen(caller) or ()))


def reach_of(caller: Caller, others: frozenset[Role], hidden: NotFound) -> orders.Reach:
    """The same for a thing of a point that is not known yet. Raises `hidden` when the caller has no point."""
    points = points_worked(caller, others)
    if points is not None and not points:
        raise hidden
    return orders.Reach(point_ids=sorted(points or ()), brands=sorted(brands_seen(caller) or ()))


def receiving_points(caller: Caller, delivery_id: str) -> list[str]:
    """The points whose deliveries the caller may receive; none for all.

    Raises NotFound / DELIVERY_NOT_FOUND when there is no such point: none would mean every point.
    """
    points = points_worked(caller, _NETWORK)
    if points is not None and not points:
        raise NotFound("DELIVERY_NOT_FOUND", f"there is no delivery {delivery_id}", delivery_id=delivery_id)
    return sorted(points or ())


def _no_fulfilment(fulfilment_id: str) -> NotFound:
    # Word for word what orders says of a fulfilment that does not exist: nobody learns which one does.
    return NotFound(
        "FULFILMENT_NOT_FOUND",
        "there is no such fulfilment",
        field="fulfilment_id",
        fulfilment_id=fulfilment_id,
    )
