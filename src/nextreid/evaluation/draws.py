"""How a protocol of several trials draws its galleries: some images of each identity and camera."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nextreid.data.manifest import Row
from nextreid.errors import InputError


@dataclass(frozen=True, eq=False)
class Draw:
    """One gallery.

    Attributes:
        name: of the trial.
        chosen: (G,) int64, ascending: its entries, as places among the rows that were drawn from.
    """

    name: str
    chosen: np.ndarray


@dataclass(frozen=True)
class PermutationDraws:
    """Galleries that the data set's makers drew once: the first images of recorded permutations.

    The columns `draw_1`, `draw_2` ... hold, for each trial, the image's place (from 0) in the permutation
    of its identity and camera. Where images are left out, the first of those that are there are taken.

    Attributes:
        shots: images of each identity and camera in a gallery.
        source: the file of the data set that holds the permutations.
        trials: how many there are.
    """

    shots: int
    source: str
    trials: int = 10

    @property
    def summary(self) -> str:
        """What is drawn, in a line."""
        first = "first image" if self.shots == 1 else f"first {self.shots} images"
        return f"{self.trials} recorded permutations ({self.source}), the {first} of each"

    def draw(self, gallery: Sequence[Row]) -> tuple[Draw, ...]:
        """Draw every trial's gallery.

        Raises:
            InputError: a column `draw_<trial>` is missing, a cell is no place, or a place occurs twice.
        """
        groups = _by_identity_and_camera(gallery)
        draws = []
        for trial in range(1, self.trials + 1):
            places = [self._place(row, f"draw_{trial}") for row in gallery]
            chosen = []
            for members in groups:
                ordered = sorted(members, key=places.__getitem__)
                for first, second in pairwise(ordered):
                    if places[first] == places[second]:
                        raise InputError(
                            f"{gallery[first].place} and {gallery[second].place}: `draw_{trial}` is "
                            f"{places[first]} in both, though identity and camera are the same",
                            allowed="each place of a permutation once",
                        )
                chosen += ordered[: self.shots]
            draws.append(Draw(str(trial), _with_distractors(chosen, gallery)))
        return tuple(draws)

    def _place(self, row: Row, column: str) -> int:
        cell = row.extra.get(column)
        if row.identity is None:
            return 0  # a distractor, which is not drawn
        if cell is None:
            raise InputError(
                f"{row.place}: no `{column}`: the galleries are recorded in {self.source} of the data set",
                do=f"put {self.source} into the data set's folder and read or import it again; or draw the "
                "galleries by seed, where the protocol has the variant @agw",
            )
        if not cell.isdecimal():
            raise InputError(f"{row.place}: `{column}` is {cell!r}", allowed="a place from 0 on")
        return int(cell)


@dataclass(frozen=True)
class SeededDraws:
    """Galleries of one image per identity and camera, drawn by Python's `random`, seeds 0, 1, 2 ...

    In each trial identities in ascending order, in them cameras in ascending order, get one
    `random.choice` each over the image files sorted by name, from `random.Random(seed)`.

    Attributes:
        modality: whose file names are sorted.
        trials: how many galleries.
    """

    modality: str
    trials: int = 10

    @property
    def summary(self) -> str:
        """What is drawn, in a line."""
        return f"one image per identity and camera by Python's random, seeds 0 to {self.trials - 1}"

    def draw(self, gallery: Sequence[Row]) -> tuple[Draw, ...]:
        """Draw every trial's gallery."""
        groups = _by_identity_and_camera(gallery)
        files = [row.paths[self.modality].name for row in gallery]
        for members in groups:
            members.sort(key=files.__getitem__)
        draws = []
        for seed in range(self.trials):
            generator = random.Random(seed)
            chosen = [generator.choice(members) for members in groups]
            draws.append(Draw(f"seed {seed}", _with_distractors(chosen, gallery)))
        return tuple(draws)


def _by_identity_and_camera(gallery: Sequence[Row]) -> list[list[int]]:
    """Return the places of each (identity, camera), in ascending order of identity, then camera."""
    groups: dict[tuple[str, str], list[int]] = {}
    for at, row in enumerate(gallery):
        if row.identity is not None:
            groups.setdefault((row.identity, row.camera or ""), []).append(at)
    return [groups[key] for key in sorted(groups, key=lambda key: tuple(map(_ascending, key)))]


def _ascending(name: str) -> tuple[int, int, str]:
    """Sort whole numbers by value, whether or not they begin with zeros, and before all else."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _with_distractors(chosen: Sequence[int], gallery: Sequence[Row]) -> np.ndarray:
    """Return the chosen places and those of entries without identity, ascending."""
    distractors = [at for at, row in enumerate(gallery) if row.identity is None]
    return np.array(sorted([*chosen, *distractors]), dtype=np.int64)
