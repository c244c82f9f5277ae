"""Plumbing for every process, without a business noun. A thing enters here at its third user."""
