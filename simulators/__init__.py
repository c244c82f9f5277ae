"""Stand-ins for systems of others, each its own process that speaks the real protocol."""
