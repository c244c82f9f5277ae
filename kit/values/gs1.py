"""GS1 keys: GTIN and GLN with their check digits (GS1 General Specifications, section 7.9)."""


def is_gtin(code: str) -> bool:
    """A GTIN-8, -12, -13 or -14 with a right check digit."""
    return len(code) in (8, 12, 13, 14) and _check_digit_holds(code)


def is_gln(code: str) -> bool:
    """A Global Location Number (13 digits) with a right check digit."""
    return len(code) == 13 and _check_digit_holds(code)


def check_digit(body: str) -> str:
    """The digit that completes `body`: weights 3 and 1 from the right, up to the next multiple of ten."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(body)))
    return str(-total % 10)


def _check_digit_holds(code: str) -> bool:
    return code.isascii() and code.isdigit() and check_digit(code[:-1]) == code[-1]
