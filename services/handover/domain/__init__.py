"""The rules: pure functions on what has been read."""
