"""Customers' mailboxes and phones, for one machine and for tests."""
