"""The worlds of pretraining: which they are, and their packs."""

import re
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

PLACE = rf"({'|'.join(SIZES)})-\d+"
"""Name of a world's folder: its kind and seed."""

MOST = 50
"""Worlds of a kind that a pretraining can have: ours, so that 1000 pretrainings find reserved seeds."""

BYTES_PER_PIXEL = 4 * 3
"""Three pictures of three bytes a pixel, and three masks of one."""


def pretraining_worlds(
    *, seed: int, count: int, identities: int, cameras: int, per_camera: int
) -> tuple[WorldSpec, ...]:
    """Return the worlds that a pretraining reads, `count` of each kind, all from the reserved seeds.

    All identities are training ones: in that split, fewer share their attributes.

    Args:
        seed: of the pretraining; pretrainings of different seeds share no world.
        count: worlds of each kind, 1 to 50; each has its own cameras.
        identities, cameras, per_camera: of each world.

    Raises:
        InputError: a seed for which no seeds are reserved, or a count out of range.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"world.count={count}", allowed=f"1 to {MOST}")
    block = MOST * len(SIZES)
    if not 0 <= seed < len(PRETRAINING_SEEDS) // block:
        raise InputError(f"--seed {seed}", allowed=f"0 to {len(PRETRAINING_SEEDS) // block - 1}")
    first = PRETRAINING_SEEDS.start + block * seed
    return tuple(
        WorldSpec(kind, identities, cameras, per_camera, first + MOST * at + number, size, test_fraction=0.0)
        for at, (kind, size) in enumerate(SIZES.items())
        for number in range(count)
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
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", allowed="a folder for rendered pictures")
    if foreign := [one.name for one in folder.glob("[!.]*") if not re.fullmatch(PLACE, one.name)]:
        raise InputError(
            f"{folder} holds other files: {', '.join(sorted(foreign)[:5])}",
            allowed="a folder that is new, empty, or holds worlds of pretrainings",
            do="name another one with --worlds",
        )
    places = [folder / f"{world.kind}-{world.seed}" for world in worlds]
    if main:
        missing = [world for world, place in zip(worlds, places, strict=True) if not place.exists()]
        _check_space(missing, folder)
    packs: dict[str, list[Pack]] = {}
    for world, place in zip(worlds, places, strict=True):
        pack = render_pack(world, place, workers=workers, progress=progress) if main else _wait_for(place)
        packs.setdefault(world.kind, []).append(pack)
    return packs


def _check_space(missing: Sequence[WorldSpec], folder: Path) -> None:
    """Check that all worlds which are not begun find room: hours may pass before the last of them."""
    observations = ((w.identities * w.cameras * w.per_camera, w.size) for w in missing)
    needed = sum(count * height * width * BYTES_PER_PIXEL for count, (height, width) in observations)
    here = folder.absolute()
    above = next(parent for parent in (here, *here.parents) if parent.exists())
    free = shutil.disk_usage(above).free
    if needed > free:
        raise InputError(
            f"The pictures of {len(missing)} worlds need {needed / 1e9:.1f} GB, "
            f"{above} has {free / 1e9:.1f} GB",
            do="name a folder on another disk with --worlds, or lower --world.identities",
        )


def _wait_for(place: Path) -> Pack:
    while True:
        try:
            return open_pack(place)
        except (InputError, OSError, ValueError):  # not begun, or half written
            time.sleep(1)
