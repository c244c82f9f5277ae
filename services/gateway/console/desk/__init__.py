"""The desk of customer service in the browser: the queue, an order with its acts, a customer over all channels."""
