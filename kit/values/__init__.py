"""Pure value types. Standard library only: no I/O, no clock, no randomness but where ids are made."""
