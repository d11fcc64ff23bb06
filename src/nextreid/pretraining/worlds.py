"""The worlds of pretraining: which they are, and their packs."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from nextreid.errors import InputError
from nextreid.pretraining.pack import Pack, open_pack, render_pack
from nextreid.progress import Progress
from nextreid.synthetic.plan import PRETRAINING_SEEDS, WorldSpec

SIZES = {"person": (192, 96), "vehicle": (96, 192)}
"""Height and width in pixels: the size of the CPU recipes; both are 72 patches of 16 pixels."""

BYTES_PER_PIXEL = 4 * 3
"""Three pictures of three bytes a pixel, and three masks of one."""


def pretraining_worlds(
    *, seed: int, identities: int, cameras: int, per_camera: int, kinds: Sequence[str] = tuple(SIZES)
) -> tuple[WorldSpec, ...]:
    """Return the worlds that a pretraining reads, one a kind, all from the reserved seeds.

    Args:
        seed: of the pretraining; worlds of different seeds share nothing.
        identities, cameras, per_camera: of each world.
        kinds: of object.

    Raises:
        InputError: a seed for which no seed is reserved.
    """
    first = PRETRAINING_SEEDS.start + len(SIZES) * seed
    if seed < 0 or first + len(kinds) > PRETRAINING_SEEDS.stop:
        raise InputError(f"--seed {seed}", allowed=f"0 to {len(PRETRAINING_SEEDS) // len(SIZES) - 1}")
    return tuple(
        WorldSpec(kind, identities, cameras, per_camera, first + at, SIZES[kind])
        for at, kind in enumerate(kinds)
    )


def render_worlds(
    worlds: Sequence[WorldSpec], folder: Path, *, workers: int, progress: Progress, main: bool = True
) -> dict[str, list[Pack]]:
    """Return the packs of the worlds by kind, rendering what is not there yet.

    Args:
        worlds: which.
        folder: holds one folder a world.
        workers: processes that render.
        progress: draws a bar a world.
        main: False in the other processes of a distributed run: they wait for the main one.

    Raises:
        InputError: too little space on the disk, or a folder that holds something else.
    """
    packs: dict[str, list[Pack]] = {}
    for world in worlds:
        place = folder / f"{world.kind}-{world.seed}"
        if main:
            _check_space(world, place)
            pack = render_pack(world, place, workers=workers, progress=progress)
        else:
            pack = _wait_for(place)
        packs.setdefault(world.kind, []).append(pack)
    return packs


def _check_space(world: WorldSpec, place: Path) -> None:
    if place.exists():
        return
    needed = world.identities * world.cameras * world.per_camera * world.size[0] * world.size[1]
    needed *= BYTES_PER_PIXEL
    above = next(parent for parent in place.absolute().parents if parent.exists())
    free = shutil.disk_usage(above).free
    if needed > free:
        raise InputError(
            f"The pictures of a world need {needed / 1e9:.1f} GB, {above} has {free / 1e9:.1f} GB",
            do="name a folder on another disk with --worlds, or lower --world.identities",
        )


def _wait_for(place: Path) -> Pack:
    while True:
        try:
            return open_pack(place)
        except (InputError, OSError, ValueError):  # not begun, or half written
            time.sleep(1)
