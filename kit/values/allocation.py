"""Sharing an amount over units to the cent. The one place where remainders are split."""


def share(amount_minor: int, quantity: int, start: int, end: int) -> int:
    """The part of `amount_minor` that units [start, end) of `quantity` bear.

    Unit i bears floor(amount*(i+1)/quantity) - floor(amount*i/quantity): units differ by at most one minor
    unit, and any partition of [0, quantity) sums to the amount exactly, in whatever order it is cut.
    """
    if not 0 <= start <= end <= quantity or quantity < 1:
        raise ValueError(f"units [{start}, {end}) of {quantity}")
    return amount_minor * end // quantity - amount_minor * start // quantity
