"""What operators may search workflows by. Never personal data: search attributes are not encrypted."""

from temporalio.common import SearchAttributeKey

ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
CHANNEL = SearchAttributeKey.for_keyword("Channel")
ORDER_STATUS = SearchAttributeKey.for_keyword("OrderStatus")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
