"""Which part of the object each patch of an image shows, by the truth masks of a synthetic world."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.data.manifest import Manifest, Row
from nextreid.errors import InputError
from nextreid.evaluation.probe.pointing import PartGrid
from nextreid.evaluation.probe.truth import PARTS, Evidence

NOT_OBJECT = frozenset({"background", "other object"})
"""Mask values with these names are no parts of the object itself, as worlds are written."""

ON_OBJECT = 0.5
"""Share of a patch that the object's parts together must fill: ours, more object than anything else."""

NO_PART = -1
"""Part of a patch that is not on the object."""


@dataclass(frozen=True, eq=False)
class PatchParts:
    """The parts seen in one image; P parts, N patches.

    Attributes:
        part: (N,) int64, index of the part that fills most of the patch, the first of equals; `NO_PART`
            where the object fills less than `ON_OBJECT` of it.
        lies: (P,N) bool, the patches that lie on each part (at least a quarter of it, or for small parts
            half as much as in the fullest patch: `PartGrid.lies_on`).
    """

    part: NDArray[np.int64]
    lies: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ObjectParts:
    """The parts of the objects of a data set.

    Attributes:
        names: (P,) names, by ascending mask value.
        numbers: (P,) their mask values.
        evidence: where the masks are.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    evidence: Evidence

    def of(self, row: Row, modality: str, grid: tuple[int, int]) -> PatchParts:
        """Return the parts in the patches of one image.

        Raises:
            ImageError: no such mask, or one that cannot be read.
        """
        return self.read(self.evidence.mask(row, modality), grid)

    def read(self, mask: NDArray[np.uint8], grid: tuple[int, int]) -> PatchParts:
        """Return the parts in the patches of a mask.

        Args:
            mask: (H,W) part numbers, of any size.
            grid: patches as (rows, columns).
        """
        cells = PartGrid.of(mask, grid)
        nothing = np.zeros(cells.patches)
        shares = np.stack([cells.shares.get(number, nothing) for number in self.numbers])  # (P,N)
        # the sum of shares of a patch is exact to a few units in the last place
        there = shares.sum(axis=0) >= ON_OBJECT - 1e-9
        return PatchParts(
            part=np.where(there, shares.argmax(axis=0), NO_PART),
            lies=np.stack([cells.lies_on([number]) for number in self.numbers]),
        )


def read_parts(manifest: Manifest) -> ObjectParts | None:
    """Read which parts a data set's masks name (`parts.json` at its root); None where it has none.

    Raises:
        InputError: a damaged file, or one that names no part.
    """
    path = manifest.root / PARTS
    if not path.is_file():
        return None
    try:
        told: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))["values"]
        numbers = {int(value): str(name) for value, name in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}", do="write the world again") from error
    found = sorted((number, name) for number, name in numbers.items() if name not in NOT_OBJECT)
    if not found:
        raise InputError(f"{path} names no part of an object", allowed="`values`: mask value -> part name")
    return ObjectParts(
        names=tuple(name for _, name in found),
        numbers=tuple(number for number, _ in found),
        evidence=Evidence(manifest.root / "parts", {name: number for number, name in found}, {}),
    )
