"""Lockers of our own for one machine and for tests."""
