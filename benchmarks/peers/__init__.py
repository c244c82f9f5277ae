"""Processes to compare with: the same libraries and settings as ours, and nothing done in them."""
