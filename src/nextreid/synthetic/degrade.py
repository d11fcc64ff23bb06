"""From a clean picture to what a sensor delivers: shifted, low resolution, blurred, noisy, compressed."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from nextreid.synthetic.sighting import Sensor

Bytes = NDArray[np.uint8]


def _window(sensor: Sensor, size: tuple[int, int], margin: int, out: tuple[int, int]) -> tuple[float, ...]:
    """Affine coefficients (PIL's order) that map the output (w, h) to the clean picture with its margin."""
    height, width = size
    step_x, step_y = width / out[1] / sensor.zoom, height / out[0] / sensor.zoom
    x0 = margin + width / 2 - sensor.offset[0] * height - step_x * out[1] / 2
    y0 = margin + height / 2 - sensor.offset[1] * height - step_y * out[0] / 2
    return (step_x, 0.0, x0, 0.0, step_y, y0)


def register_mask(mask: Bytes, sensor: Sensor, size: tuple[int, int], margin: int) -> Bytes:
    """Move a part mask as the sensor's misregistration moves its picture.

    Args:
        mask: (H + 2 margin, W + 2 margin) uint8.
        sensor: offset and zoom.
        size: (H, W) of the crop.
        margin: pixels around it.

    Returns:
        (H, W) uint8.
    """
    moved = Image.fromarray(mask).transform(
        (size[1], size[0]),
        Image.Transform.AFFINE,
        _window(sensor, size, margin, size),
        Image.Resampling.NEAREST,
    )
    return np.asarray(moved)


def degrade(
    clean: Bytes, sensor: Sensor, size: tuple[int, int], margin: int, rng: np.random.Generator
) -> Bytes:
    """Take a picture with a sensor.

    Args:
        clean: (H + 2 margin, W + 2 margin[, 3]) uint8, coded.
        sensor: registration, resolution, blur, noise, compression.
        size: (H, W) of the crop.
        margin: pixels around it.
        rng: for the noise.

    Returns:
        (H, W[, 3]) uint8.
    """
    height, width = size
    low = (max(8, round(height * sensor.sharpness)), max(8, round(width * sensor.sharpness)))
    picture = Image.fromarray(clean)
    radius = np.hypot(sensor.blur * height, 0.35 * (1.0 / sensor.sharpness - 1.0))
    picture = picture.filter(ImageFilter.GaussianBlur(float(radius)))
    picture = picture.transform(
        (low[1], low[0]),
        Image.Transform.AFFINE,
        _window(sensor, size, margin, low),
        Image.Resampling.BILINEAR,
    )
    codes = np.asarray(picture)
    noise = rng.standard_normal(codes.shape, np.float32)
    noise *= np.float32(sensor.noise)
    picture = Image.fromarray((np.clip(codes + noise, 0, 255) + 0.5).astype(np.uint8))
    if sensor.jpeg:
        coded = io.BytesIO()
        picture.save(coded, "JPEG", quality=sensor.jpeg)
        picture = Image.open(coded)
    if low != size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.array(picture)
