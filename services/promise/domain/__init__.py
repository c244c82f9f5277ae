"""The rules of promises and routing. Pure: the standard library, kit.values and itself; no clock, no I/O."""
