"""The rules of money: pure, without clock, network or SQL."""
