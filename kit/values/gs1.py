"""GS1 keys: GTIN, GLN and SSCC with their check digits (GS1 General Specifications, section 7.9)."""


def is_gtin(code: str) -> bool:
    """A GTIN-8, -12, -13 or -14 with a right check digit."""
    return len(code) in (8, 12, 13, 14) and _check_digit_holds(code)


def is_gln(code: str) -> bool:
    """A Global Location Number (13 digits) with a right check digit."""
    return len(code) == 13 and _check_digit_holds(code)


def is_company_prefix(code: str) -> bool:
    """7 to 10 digits, as GS1 gives them to companies."""
    return 7 <= len(code) <= 10 and code.isascii() and code.isdigit()


def sscc(company_prefix: str, serial: int) -> str:
    """A Serial Shipping Container Code: 18 digits. Serials come round after 10 ** (17 - length of the prefix).

    The first digit (the extension digit) is part of the serial: a company of 7 digits has ten thousand million.
    """
    digits = 17 - len(company_prefix)
    reference = f"{serial % 10**digits:0{digits}d}"
    body = reference[0] + company_prefix + reference[1:]
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """The digit that completes `body`: weights 3 and 1 from the right, up to the next multiple of ten."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(body)))
    return str(-total % 10)


def _check_digit_holds(code: str) -> bool:
    return code.isascii() and code.isdigit() and check_digit(code[:-1]) == code[-1]
