"""An image as it goes to a language model: its file's bytes, unless something has to be done to it."""

import base64
import io
from dataclasses import dataclass

import numpy as np

from nextreid.data.images import read_image
from nextreid.data.rows import Row
from nextreid.errors import ImageError

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""How files begin that every server takes; WebP is told apart below."""


@dataclass(frozen=True)
class Picture:
    """An encoded image.

    Attributes:
        data: the file's bytes, or a PNG made of it.
        mime: e.g. `image/png`.
    """

    data: bytes
    mime: str

    @property
    def url(self) -> str:
        """The image as a data URL."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"


def picture_of(row: Row, modality: str, *, max_side: int | None = None) -> Picture:
    """Return one image of a row, ready to be sent.

    The file's bytes are sent unchanged; only a box, a longer side than `max_side`, or a format that
    servers do not take (TIFF, BMP) has it cut or shrunk, and encoded as PNG. It is decoded in any case: no
    model is asked about a damaged image.

    Args:
        row: the observation.
        modality: which of its images.
        max_side: pixels of the longer side at most; None: any.

    Raises:
        ImageError: missing, empty or damaged; it names row and file.
    """
    path, box, where = row.paths[modality], row.boxes.get(modality), row.where(modality)
    pixels = read_image(path, box=box, where=where)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{where}: {path} cannot be read ({error.strerror})") from error
    mime = _mime(data)
    if mime and box is None and (max_side is None or max(pixels.shape[:2]) <= max_side):
        return Picture(data, mime)
    return Picture(_png(pixels, max_side), "image/png")


def _mime(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for signature, mime in _SIGNATURES if data.startswith(signature)), "")


def _png(pixels: np.ndarray, max_side: int | None) -> bytes:
    from PIL import Image

    image = Image.fromarray(pixels)
    if max_side is not None and max(image.size) > max_side:
        scale = max_side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)  # ours: keeps fine print, as smooth as any
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
