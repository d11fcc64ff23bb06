"""How a CLIP was made: the notes that `pretraining.json` holds and the model card is written from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nextreid.errors import InputError

FORMAT = "nextreid.pretraining/2"
BEFORE = "nextreid.pretraining/1"
"""Its loss has the columns (step, total, image, dense); all else is the same."""


@dataclass(frozen=True)
class PretrainingNotes:
    """Everything that tells how a CLIP was made, and makes it again.

    Attributes:
        command: the exact command line.
        seed: of its random draws and weights.
        steps: optimizer steps done.
        images_seen: images shown in all, repetitions counted.
        seconds: wall time of the training, without rendering.
        hardware: the machine in words.
        versions: of nextreid and the packages that can move a number.
        worlds: what it was trained on, one entry each: kind, seed, identities, observations, size (H, W)
            and whatever else tells.
        left_out: the modality that it never saw, or None.
        class_token_only: trained without the dense term.
        settings: of optimizer, schedule, loss and batch, by name.
        loss: rows of (step, total, image, value, dense, place): the terms of the loss, those of regions 0
            without them.
        selection: which step's weights these are.
        attention: how attention is computed; written by `save_clip`.
        weights_sha256: of `model.safetensors`; written by `save_clip`.
    """

    command: str
    seed: int
    steps: int
    images_seen: int
    seconds: float
    hardware: str
    versions: Mapping[str, str]
    worlds: Sequence[Mapping[str, Any]]
    left_out: str | None
    class_token_only: bool
    settings: Mapping[str, float | int | str]
    loss: Sequence[Sequence[float]] = field(default=())
    selection: str = "last step"
    attention: str = "eager"
    weights_sha256: str = ""

    @property
    def saw(self) -> tuple[str, ...]:
        """The modalities whose images it was shown."""
        named = [name for world in self.worlds for name in world.get("modalities", ())]
        seen = dict.fromkeys(named or ("rgb", "nir", "tir"))  # worlds without the entry had all three
        return tuple(name for name in seen if name != self.left_out)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, where: str = "The notes of a pretraining"
    ) -> "PretrainingNotes":
        """Read what `to_dict` wrote.

        Args:
            values: by name of the attribute.
            where: the file they stand in, for errors.

        Raises:
            InputError: another format, or a missing or unknown key.
        """
        given = dict(values)
        form = given.pop("format", FORMAT)
        if form not in (FORMAT, BEFORE):
            raise InputError(f"{where}: the format is {form!r}", allowed=f"{FORMAT}, {BEFORE}")
        known = {f.name for f in fields(cls)}
        needed = known - {"loss", "selection", "attention", "weights_sha256"}
        unknown, missing = sorted(set(given) - known), sorted(needed - set(given))
        if unknown or missing:
            raise InputError(
                f"{where}: unknown keys {unknown}, missing keys {missing}",
                allowed=", ".join(sorted(known)),
                do="use the version of nextreid that wrote them",
            )
        return cls(**given)
