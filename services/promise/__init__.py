"""Delivery promises and routing."""
