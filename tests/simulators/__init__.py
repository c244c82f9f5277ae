"""The simulators, as their clients see them."""
