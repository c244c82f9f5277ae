"""Payments: rules, ledger, provider, races."""
