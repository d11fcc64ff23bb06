"""Reading an image, whatever it is, as (H,W,3) uint8; and resizing and normalising it for a model.

Colour images are read as they are; an alpha channel is ignored. Images of more than 8 bit in one
channel (16 or 32 bit thermal) are brought to 8 bit by a linear stretch from their 1st to their 99th
percentile (ours: raw thermal counts fill a few per cent of 16 bit, and where they lie differs by
camera). A constant image becomes mid-grey. A crop box is applied before the stretch, so that a boxed
frame and a file cut out beforehand give the same pixels. 16-bit RGB PNG keeps its high bytes, as
Pillow reads it.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from nextreid.errors import ImageError, InputError
from nextreid.observation import Box, ImageLike

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = 50_000_000
"""Pixels of the largest image that is decoded (ours: an 8K frame has 33 million; a bomb has billions)."""

STRETCH = (1.0, 99.0)
"""Percentiles of the 8-bit stretch (ours: ignores dead pixels and the rare lamp)."""

CONSTANT_GREY = 128
"""What a constant image becomes (ours: close to 0 after the usual normalisation)."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

_HIGH_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def read_image(source: ImageLike, *, box: Box | None = None, where: str = "") -> np.ndarray:
    """Read an image as 8-bit RGB.

    Args:
        source: a path, a PIL image, an array (H,W), (H,W,1|3|4) of uint8, uint16, bool or float 0..1,
            or a tensor (H,W) or (1|3|4,H,W) of the same types.
        box: x0 y0 x1 y1 in pixels of the upright image; parts outside are cut off.
        where: where the image is named, for messages: `row 12 of m.csv, modality tir`.

    Returns:
        (H,W,3) uint8.

    Raises:
        ImageError: missing, empty, truncated, no image, too large, or a box outside the image; it
            names `where`, the file, the reason, and what to do.
    """
    if isinstance(source, str | Path):
        return _from_file(Path(source), box, where)
    if isinstance(source, Image.Image):
        return _from_pil(source, box, _named(where, "a PIL image"))
    if hasattr(source, "detach"):
        return _from_tensor(source, box, _named(where, "a tensor"))
    if hasattr(source, "__array__"):
        return _from_array(np.asarray(source), box, _named(where, "an array"))
    raise ImageError(
        f"{_named(where, type(source).__name__)} is not an image",
        allowed="a path, a PIL image, an array or a tensor",
    )


def _named(where: str, what: str) -> str:
    return f"{where}: {what}" if where else what


def _from_file(path: Path, box: Box | None, where: str) -> np.ndarray:
    named = _named(where, str(path))
    # Other exceptions than OSError are decoders' ways to say "broken": zlib.error, struct.error,
    # SyntaxError, IndexError, and Pillow's own bomb warning where warnings are errors.
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ImageError(f"{named} is empty (zero bytes)", do="copy or export the file again")
            with Image.open(file) as image:
                return _from_pil(image, box, named)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(
            f"{named} does not exist",
            do=_mend_path(path),
        ) from error
    except IsADirectoryError as error:
        raise ImageError(f"{named} is a folder, not an image file") from error
    except Image.DecompressionBombError as error:
        raise _too_large(named, str(error)) from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{named} is not an image file that Pillow knows",
            do="convert it to PNG, JPEG or TIFF, or copy it again",
        ) from error
    except Exception as error:
        raise ImageError(f"{named} cannot be read: {error}", do="copy or export the file again") from error


def _too_large(named: str, size: str) -> ImageError:
    return ImageError(
        f"{named} is too large to decode: {size}",
        allowed=f"up to {MAX_PIXELS:,} pixels",
        do="crop or shrink it; if it should be small, the file is damaged or a decompression bomb",
    )


def _from_pil(image: Image.Image, box: Box | None, named: str) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:  # from the header: nothing has been decoded yet
        raise _too_large(named, f"{width} x {height} pixels")
    if width == 0 or height == 0:
        raise ImageError(f"{named} has no pixels ({width} x {height})")
    try:
        image.load()
        if image.getexif().get(ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if box is not None:
            image = image.crop(_inside(box, image.size, named))
        if image.mode in _HIGH_MODES:
            return _as_rgb(stretch(np.asarray(image)))
        return np.array(image.convert("RGB"))
    except ImageError:
        raise
    except Exception as error:  # as in _from_file
        raise ImageError(
            f"{named} cannot be decoded: {error}",
            do="the file is damaged or cut short: copy or export it again",
        ) from error


def _from_tensor(tensor: Any, box: Box | None, named: str) -> np.ndarray:
    tensor = tensor.detach().cpu()
    array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[0] not in (1, 3, 4)):
        raise ImageError(f"{named} of shape {array.shape}", allowed="(H,W), or (C,H,W) with C = 1, 3 or 4")
    if array.ndim == 3:
        array = array.transpose(1, 2, 0)
    return _from_array(array, box, named)


def _mend_path(path: Path) -> str:
    """Return what to do about a path that leads nowhere; a manifest's paths are absolute here."""
    if "\\" in str(path) and os.sep == "/":
        return "write the path with forward slashes"
    if path.is_absolute():
        return "correct the path (relative paths start at the manifest's folder), or empty the cell"
    return f"correct the path; it starts at the working folder, {Path.cwd()}"


def _from_array(array: np.ndarray, box: Box | None, named: str) -> np.ndarray:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{named} of shape {array.shape}", allowed="(H,W), or (H,W,C) with C = 1, 3 or 4")
    if 0 in array.shape:
        raise ImageError(f"{named} has no pixels (shape {array.shape})")
    if box is not None:
        x0, y0, x1, y1 = _inside(box, (array.shape[1], array.shape[0]), named)
        array = array[y0:y1, x0:x1]
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] == 1 else array[..., :3]
    if array.dtype == np.uint8:
        return _as_rgb(array)
    if array.dtype == np.bool_:
        return _as_rgb(array.astype(np.uint8) * 255)
    if array.dtype == np.uint16:
        return _as_rgb(stretch(array))
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (math.isfinite(low) and math.isfinite(high)) or low < 0 or high > 1:
            raise ImageError(
                f"{named} of {array.dtype} holds values from {low:g} to {high:g}",
                allowed="floats from 0 to 1, without NaN",
                do="divide 8-bit values by 255; give thermal counts as uint16",
            )
        return _as_rgb(np.rint(array * 255).astype(np.uint8))
    raise ImageError(f"{named} of type {array.dtype}", allowed="uint8, uint16, bool, or float 0..1")


def _inside(box: Box, size: tuple[int, int], named: str) -> Box:
    """Cut a box off at the image's borders; `size` is (width, height)."""
    x0, y0, x1, y1 = box
    cut = (max(0, x0), max(0, y0), min(size[0], x1), min(size[1], y1))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise ImageError(
            f"{named}: the box {x0} {y0} {x1} {y1} holds no pixel of the {size[0]} x {size[1]} image",
            allowed="x0 y0 x1 y1 in pixels, with x0 < x1 and y0 < y1, inside the image",
        )
    return cut


def _as_rgb(array: np.ndarray) -> np.ndarray:
    """Return (H,W,3) uint8 of (H,W) or (H,W,3) uint8, in memory of its own."""
    return np.stack([array] * 3, axis=-1) if array.ndim == 2 else np.array(array)


def stretch(array: np.ndarray) -> np.ndarray:
    """Bring values of any range to 8 bit, linearly from the 1st to the 99th percentile.

    Args:
        array: numbers of any type and shape; those that are not finite become 0.

    Returns:
        uint8 of the same shape. Where the percentiles coincide, minimum and maximum are used; an
        image of one value becomes `CONSTANT_GREY`.
    """
    values = array.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(array.shape, np.uint8)
    low, high = np.percentile(values[finite], STRETCH)
    if low == high:
        low, high = values[finite].min(), values[finite].max()
    if low == high:
        return np.where(finite, np.uint8(CONSTANT_GREY), np.uint8(0))
    scaled = np.clip((np.where(finite, values, low) - low) / (high - low), 0.0, 1.0)
    return np.rint(scaled * 255).astype(np.uint8)


_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class ImageTransform:
    """Resize and normalise: it travels with the weights, so that every image is treated alike.

    The resize is Pillow's, which smooths before it shrinks (antialiased), on uint8; then
    `(x / 255 - mean) / std`.

    Attributes:
        size: (H, W) in pixels.
        mean, std: of the three channels, for values 0..1.
        interpolation: `bicubic` or `bilinear`.

    Raises:
        InputError: a size that is not positive, a std of 0, an unknown interpolation.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # reference DeMo, TOP-ReID: also for CLIP weights
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)  # likewise
    interpolation: str = "bicubic"  # reference DeMo: torchvision's interpolation=3

    def __post_init__(self) -> None:
        """Check the values; lists, as a file holds them, become tuples."""
        for name in ("size", "mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"Image size {self.size!r}", allowed="height and width in pixels, e.g. 256x128")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError(f"Image mean {self.mean!r}, std {self.std!r}", allowed="three each, std above 0")
        if self.interpolation not in _FILTERS:
            raise InputError(f"Interpolation {self.interpolation!r}", allowed=", ".join(_FILTERS))

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Resize (H0,W0,3) uint8 to (H,W,3) uint8."""
        if image.shape[:2] == self.size:
            return image
        height, width = self.size
        return np.array(Image.fromarray(image).resize((width, height), _FILTERS[self.interpolation]))

    def normalise(self, image: np.ndarray) -> "Tensor":
        """Return (3,H,W) float32 of (H,W,3) uint8."""
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
        return (pixels - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]

    def __call__(self, image: np.ndarray) -> "Tensor":
        """Resize and normalise (H0,W0,3) uint8 to (3,H,W) float32."""
        return self.normalise(self.resize(image))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the model folder."""
        return {
            "size": list(self.size),
            "mean": list(self.mean),
            "std": list(self.std),
            "interpolation": self.interpolation,
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "ImageTransform":
        """Build from the values of `to_dict`.

        Raises:
            InputError: a key missing or too many, or a value that is not allowed.
        """
        wanted = {"size", "mean", "std", "interpolation"}
        if set(values) != wanted:
            raise InputError(
                f"Image transform with the keys {', '.join(sorted(values))}",
                allowed=", ".join(sorted(wanted)),
            )
        return ImageTransform(**values)
