"""Delivery of events: signals to workflows, signed webhooks to the outside. Reads no other service's tables."""
