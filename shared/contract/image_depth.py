"""Where white is in an image file that has 16 bits of room for a sample."""

from __future__ import annotations

from typing import Optional

DOUBTFUL = 1 << 14
"""An image of 16 bits without a value from here on may be one of 10, 12 or 14 whose file does not say so."""

FULL = tuple((1 << bits) - 1 for bits in range(9, 17))
"""Largest values that say how many of 16 bits are used; any other is that of the brightest pixel."""

SHIFTED = (10, 12, 14)
"""Bits of a TIFF file's samples that OpenCV shifts to the upper end of 16."""

BITS, LARGEST = 258, 281
"""Tags of TIFF 6.0: BitsPerSample and MaxSampleValue."""


def white_of_tiff(bits: Optional[int], largest: Optional[int]) -> Optional[int]:
    """Return the value of white in what OpenCV decodes; None where a TIFF file does not tell it.

    Args:
        bits, largest: the tags of these names.
    """
    if bits in SHIFTED:
        return 65535
    return largest if bits == 16 and largest in FULL else None
