"""Codes as pictures that a camera reads: QR (ISO/IEC 18004), as the path of a drawing without script or file."""

from functools import lru_cache
from typing import Any

from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

# Modules around it that stay white.
QUIET = 4


@lru_cache(maxsize=256)
def path_of(code: str) -> tuple[int, str]:
    """The side of the picture with its quiet zone, in modules, and the dark ones as the path of an SVG."""
    picture: Any = QRCode(None, QRErrorCorrectLevel.M)
    picture.addData(code)
    picture.make()
    count: int = picture.getModuleCount()
    dark = [(x, y) for y in range(count) for x in range(count) if picture.isDark(y, x)]
    return count + 2 * QUIET, "".join(f"M{x + QUIET} {y + QUIET}h1v1h-1z" for x, y in dark)
