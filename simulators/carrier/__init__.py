"""A carrier of our own for one machine and for tests."""
