"""The colours of a style sheet, and how well one is read on another (WCAG 2.2, 1.4.3)."""

import re

_LEAST = 4.5
_VARIABLE = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{3}|#[0-9a-f]{6});")


def hard_to_read(style: str, ink: str, behind: str) -> list[str]:
    """The schemes, light or dark, in which the contrast of these two variables is too low."""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    schemes = {"light": _variables(light), "dark": _variables(dark)} if dark else {"light": _variables(light)}
    return [
        f"{name}: {ratio:.2f}"
        for name, colours in schemes.items()
        if (ratio := contrast(colours[ink], colours[behind])) < _LEAST
    ]


def contrast(one: str, other: str) -> float:
    """From 1, the same, to 21, black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _variables(rules: str) -> dict[str, str]:
    """Those of the first block of rules."""
    return dict(_VARIABLE.findall(rules.partition("}")[0]))


def _luminance(colour: str) -> float:
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(2 * one for one in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
