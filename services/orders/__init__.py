"""Orders: what was asked, what became of each unit, who works on it."""
