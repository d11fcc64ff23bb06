"""Random changes to training images: flip, pad and crop, random erasing.

Every draw depends on (seed, epoch, observation[, modality]) alone, so it is the same in any worker,
process or resumed run. An observation's three images cost about 0.2 ms at 192x96 on one core: the
numbers are drawn first and kornia's functional operations are applied to views, since its random
modules draw from the global generator and cost some ms a call.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nextreid.errors import InputError
from nextreid.seeding import derive_seed, numpy_generator

GEOMETRIES = ("shared", "independent")

ERASE_AREA = (0.02, 1 / 3)  # reference timm's random erasing, used by TransReID, DeMo and peers
ERASE_ASPECT = (0.3, 1 / 0.3)  # likewise: height / width, log-uniform
ERASE_ATTEMPTS = 10  # likewise: a rectangle that does not fit is drawn again, at most so often


@dataclass(frozen=True)
class Augmentation:
    """What is done to the images of an observation.

    Attributes:
        flip: chance of mirroring left to right.
        pad: pixels of black added on each side before a crop of the old size.
        erase: chance, for each modality by itself, that a rectangle is filled with noise.
        geometry: `shared`: one flip and crop for all modalities, which keeps them registered (ours);
            `independent`: each modality draws its own (peers).

    Raises:
        InputError: a chance outside 0..1, a negative pad, an unknown geometry.
    """

    flip: float = 0.5  # reference DeMo, IDEA, MDReID
    pad: int = 10  # likewise
    erase: float = 0.5  # likewise
    geometry: str = "shared"  # ours

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("flip", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"augment.{name}={getattr(self, name)}", allowed="a chance, 0 to 1")
        if self.pad < 0:
            raise InputError(f"augment.pad={self.pad}", allowed="0 or more pixels")
        if self.geometry not in GEOMETRIES:
            raise InputError(f"augment.geometry={self.geometry!r}", allowed=", ".join(GEOMETRIES))

    def move(
        self, images: Mapping[str, Tensor], *, seed: int, epoch: int, observation: str
    ) -> dict[str, Tensor]:
        """Flip, pad and crop.

        Args:
            images: modality -> (3,H,W), any type; padding is 0, which is black in uint8.
            seed, epoch, observation: what the draws depend on.

        Returns:
            New tensors of the same sizes, in the order of `images`.
        """
        common = numpy_generator(seed, "augment", epoch, observation)
        drawn = _Geometry.draw(common, self)
        moved = {}
        for name, image in images.items():
            if self.geometry == "independent":
                drawn = _Geometry.draw(numpy_generator(seed, "augment", epoch, observation, name), self)
            moved[name] = drawn.apply(image, self.pad)
        return moved

    def erased(
        self, images: Mapping[str, Tensor], *, seed: int, epoch: int, observation: str
    ) -> dict[str, Tensor]:
        """Fill a rectangle of some images with unit Gaussian noise (in place).

        Args:
            images: modality -> (3,H,W) float, normalised.
            seed, epoch, observation: what the draws depend on.

        Returns:
            The images.
        """
        for name, image in images.items():
            rng = numpy_generator(seed, "erase", epoch, observation, name)
            if rng.random() >= self.erase:
                continue
            top, left, height, width = _rectangle(rng, *image.shape[1:])
            noise = torch.Generator().manual_seed(derive_seed(seed, "noise", epoch, observation, name))
            region = image[:, top : top + height, left : left + width]
            region.copy_(torch.randn(region.shape, generator=noise))
        return dict(images)


@dataclass(frozen=True)
class _Geometry:
    """One draw: mirrored or not, and the corner of the crop as fractions of the room there is."""

    mirrored: bool
    down: float
    right: float

    @classmethod
    def draw(cls, rng: np.random.Generator, options: Augmentation) -> "_Geometry":
        chance, down, right = rng.random(3)
        return cls(bool(chance < options.flip), float(down), float(right))

    def apply(self, image: Tensor, pad: int) -> Tensor:
        from kornia.geometry.transform import hflip  # here: a fifth of a second that only training needs

        _, height, width = image.shape
        if self.mirrored:
            image = hflip(image)
        if pad:
            top, left = int(self.down * (2 * pad + 1)), int(self.right * (2 * pad + 1))
            image = F.pad(image, (pad, pad, pad, pad))[:, top : top + height, left : left + width]
        return image


def _rectangle(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """Return top, left, height, width of a rectangle inside the image; empty if none was found."""
    for _ in range(ERASE_ATTEMPTS):
        area = rng.uniform(*ERASE_AREA) * height * width
        aspect = np.exp(rng.uniform(*np.log(ERASE_ASPECT)))
        h, w = round(float(np.sqrt(area * aspect))), round(float(np.sqrt(area / aspect)))
        if 0 < h < height and 0 < w < width:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    return 0, 0, 0, 0
