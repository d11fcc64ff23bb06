"""Cameras: pose, colour response, sharpness, thermal range, and how its three sensors disagree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.modality import NIR, RGB, TIR
from nextreid.seeding import numpy_generator

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """One camera (three sensors on one mast).

    Args:
        name: "1", "2", ... as benchmarks number them.
        height: metres above the ground.
        distance: metres to the object.
        gain: (3,) colour response, the cast of this camera.
        saturation: 1 true colours, below 1 washed out.
        contrast: exponent on the coded image.
        noise: factor on the sensor noise.
        sharpness: linear size of the sensor's crop over the stored crop, 0..1.
        lamp: strength of the NIR illuminator.
        thermal: (°C below the air that is black, °C above the air that is white).
        offset: modality -> (right, down) misregistration as shares of the crop's height.
        zoom: modality -> scale against the nominal one.
        backdrop: seed of the place it looks at.
    """

    name: str
    height: float
    distance: float
    gain: tuple[float, float, float]
    saturation: float
    contrast: float
    noise: float
    sharpness: float
    lamp: float
    thermal: tuple[float, float]
    offset: dict[str, tuple[float, float]]
    zoom: dict[str, float]
    backdrop: int


def draw_cameras(count: int, seed: int) -> tuple[Camera, ...]:
    """Draw the cameras of a world; camera i is the same whatever the count."""
    cameras = []
    for number in range(1, count + 1):
        rng = numpy_generator(seed, "camera", number)

        def u(low: float, high: float, rng: np.random.Generator = rng) -> float:
            return round(float(rng.uniform(low, high)), 4)

        warm, green = u(-0.2, 0.2), u(-0.07, 0.07)
        cameras.append(
            Camera(
                name=str(number),
                height=u(1.8, 5.0),
                distance=u(9.0, 15.0),
                gain=(round(1 + warm, 4), round(1 + green, 4), round(1 - warm, 4)),
                saturation=u(0.75, 1.05),
                contrast=u(0.85, 1.2),
                noise=u(0.7, 1.4),
                sharpness=u(0.6, 1.0),
                lamp=u(0.85, 1.2),
                thermal=(u(2.5, 4.0), u(11.5, 13.5)),
                offset={m: (u(-0.02, 0.02), u(-0.015, 0.015)) for m in (RGB, NIR, TIR)},
                zoom={m: u(0.97, 1.03) for m in (RGB, NIR, TIR)},
                backdrop=int(rng.integers(1 << 30)),
            )
        )
    return tuple(cameras)


@dataclass(frozen=True)
class Rays:
    """One ray per pixel of a crop with a margin around it.

    Args:
        origin: (3,) float32 place of the camera, world frame, metres.
        directions: (H * W, 3) float32 unit.
        right, up: (3,) unit axes of the picture.
        forward: (3,) unit axis of view.
        focal: (across, up) pixels per unit slope.
        centre: (x, y) pixel of the axis of view.
        shape: (H, W) of the crop with its margin.
    """

    origin: FloatArray
    directions: FloatArray
    right: FloatArray
    up: FloatArray
    forward: FloatArray
    focal: tuple[float, float]
    centre: tuple[float, float]
    shape: tuple[int, int]

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels (x, y) of world points (V, 3)."""
        away = points - self.origin
        depth = away @ self.forward
        x = self.centre[0] + self.focal[0] * (away @ self.right) / depth
        y = self.centre[1] - self.focal[1] * (away @ self.up) / depth
        return np.stack([x, y], -1)


def crop_rays(
    camera: Camera,
    *,
    size: tuple[int, int],
    margin: int,
    nominal: float,
    fill: float,
    stretch: float,
    shift: tuple[float, float],
) -> Rays:
    """Aim a camera at the middle of something `nominal` metres tall at the world's origin.

    Args:
        camera: pose; it stands at -x and looks towards +x.
        size: (H, W) of the crop in pixels.
        margin: pixels added on every side.
        nominal: height in metres.
        fill: share of the crop's height that it takes.
        stretch: width over true width, as when a detector's narrow box is resized to the crop.
        shift: (right, down) of the object in the crop, shares of the crop's height.
    """
    height, width = size[0] + 2 * margin, size[1] + 2 * margin
    origin = np.array([-camera.distance, 0.0, camera.height])
    target = np.array([0.0, 0.0, nominal / 2])
    forward = (target - origin) / np.linalg.norm(target - origin)
    right = np.array([0.0, -1.0, 0.0])
    up = np.cross(right, forward)
    tall = nominal * float(np.hypot(forward[0], 0.0))
    focal = fill * size[0] * float(np.linalg.norm(target - origin)) / tall
    cx = (width - 1) / 2 + shift[0] * size[0]
    cy = (height - 1) / 2 + shift[1] * size[0]
    x = (np.arange(width) - cx) / (focal * stretch)
    y = (cy - np.arange(height)) / focal
    rays = forward + x[None, :, None] * right + y[:, None, None] * up
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return Rays(
        origin.astype(np.float32),
        rays.reshape(-1, 3).astype(np.float32),
        right.astype(np.float32),
        up.astype(np.float32),
        forward.astype(np.float32),
        (focal * stretch, focal),
        (cx, cy),
        (height, width),
    )
