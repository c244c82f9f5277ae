"""Payments: what was authorised, captured, voided and refunded for an order, and why."""
