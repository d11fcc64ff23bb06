"""What is hidden from the model in training, so that it can do without: modalities, names, cameras.

Captions are hidden by the prompt rule, which a loader receives as a callable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nextreid.errors import InputError
from nextreid.seeding import numpy_generator


@dataclass(frozen=True)
class Kept:
    """What is left of one observation.

    Attributes:
        modalities: those kept, in the given order; never none.
        unnamed: of these, the ones whose name is hidden (at most one).
        camera: the camera, or None.
    """

    modalities: tuple[str, ...]
    unnamed: frozenset[str]
    camera: str | None


@dataclass(frozen=True)
class InputDropout:
    """Chances, each for an observation, each 0 to 1.

    Attributes:
        modality: that it loses some of its modalities: a random choice that leaves one or more, all
            such choices alike (ours).
        name: that one of the modalities left is presented as an unknown one (ours).
        camera: that its camera is presented as unknown (ours).

    Raises:
        InputError: a chance outside 0..1.
    """

    modality: float = 0.3
    name: float = 0.2
    camera: float = 0.2

    def __post_init__(self) -> None:
        """Check the chances."""
        for name in ("modality", "name", "camera"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"dropout.{name}={getattr(self, name)}", allowed="a chance, 0 to 1")

    def draw(
        self, present: Sequence[str], camera: str | None, *, seed: int, epoch: int, observation: str
    ) -> Kept:
        """Draw what is left; a function of (seed, epoch, observation) and of the arguments alone.

        Args:
            present: the observation's modalities, one or more.
            camera: its camera, or None.
        """
        rng = numpy_generator(seed, "dropout", epoch, observation)
        chance_modality, chance_name, chance_camera = rng.random(3)
        kept = tuple(present)
        if chance_modality < self.modality and len(kept) > 1:
            # A number in 1 .. 2^n - 2 is a choice that is neither empty nor everything.
            choice = int(rng.integers(1, 2 ** len(kept) - 1))
            kept = tuple(name for bit, name in enumerate(kept) if choice >> bit & 1)
        unnamed = frozenset([kept[int(rng.integers(len(kept)))]]) if chance_name < self.name else frozenset()
        return Kept(kept, unnamed, None if chance_camera < self.camera else camera)
