"""Strips: one file that holds the modalities side by side, cut by boxes when it is read."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nextreid.data.layout import Layout
from nextreid.errors import ImageError
from nextreid.observation import Box

TILE = (256, 128)
"""Width and height of one modality in the releases of RGBNT100 and RGBN300 (the public loaders cut there)."""


def strip_boxes(path: Path, layout: Layout, modalities: Sequence[str]) -> dict[str, Box]:
    """Return modality -> box of a strip, from the size in the file's header; nothing is decoded.

    A strip that was shrunk or enlarged as a whole is cut in the same proportion. A file whose header
    cannot be read gets the release's boxes: whoever reads it meets the fault, and may skip it.

    Args:
        path: the strip.
        layout: the benchmark, for messages.
        modalities: from left to right.

    Raises:
        ImageError: a strip of another shape, naming the file.
    """
    number = len(modalities)
    width, height = _size(path) or (number * TILE[0], TILE[1])
    if width % number or width * TILE[1] != number * TILE[0] * height:
        expected = f"{number * TILE[0]} x {TILE[1]}"
        raise ImageError(
            f"{path} is {width} x {height} pixels",
            allowed=f"{layout.title} strips of {expected} (width x height), or that shape in another size: "
            f"{', '.join(modalities)} side by side",
            do=_other_shape(width, height, number),
        )
    step = width // number
    return {name: (step * place, 0, step * (place + 1), height) for place, name in enumerate(modalities)}


def tiles_in(path: Path) -> int | None:
    """Return how many modalities a strip holds by its shape; None if it has none of a strip's shapes."""
    size = _size(path)
    if size is None:
        return None
    width, height = size
    tiles, rest = divmod(width * TILE[1], TILE[0] * height)
    return tiles if rest == 0 else None


def _other_shape(width: int, height: int, number: int) -> str:
    other = {2: 3, 3: 2}.get(number)
    if other and width * TILE[1] == other * TILE[0] * height:
        return f"read it as {'rgbnt100' if other == 3 else 'rgbn300'}: it holds {other} modalities"
    return "copy the file again, or cut the modalities apart and write a manifest"


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # decoders raise many kinds; each means that the header cannot be read
        return None
