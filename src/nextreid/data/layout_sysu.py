"""Reading SYSU-MM01: six cameras, identities by number, lists of identities per split.

Every image is an observation of one modality: cameras 3 and 6 are infrared. `scene` is the location label of
the official evaluation, in which cameras 2 and 3 are one room.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextreid.data.layout import Layout, Reading, not_whole
from nextreid.data.layout_draws import FILE, Permutations, draw_columns, read_permutations
from nextreid.data.layout_files import folders_in, images_in, read_numbers
from nextreid.data.rows import Row
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB

LOCATION = {1: "1", 2: "2", 3: "2", 4: "4", 5: "5", 6: "6"}
"""Camera -> location: `cam_id = [1 2 2 4 5 6]` of the official MATLAB evaluation."""

INFRARED = frozenset({3, 6})
"""Cameras that see near infrared (the data set's README)."""

LISTS = ("train", "val", "test")
"""The lists of identities, `exp/<list>_id.txt` or `.mat`; train and val together are trained on, as the
public training code does."""


@dataclass(frozen=True)
class SysuCameras:
    """The form of SYSU-MM01's folder; see `Reader`."""

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""
        return (*(f"cam{camera}" for camera in LOCATION), "exp")

    def begins(self, folder: Path) -> bool:
        """Tell whether there is a camera's folder with identities of four digits in it."""
        cameras = (folders_in(folder / f"cam{camera}") for camera in LOCATION)
        return any(re.fullmatch(r"\d{4}", one.name) for inside in cameras for one in inside[:1])

    def read(self, folder: Path, layout: Layout, variant: str) -> Reading:
        """Read the tree; see `Reader`. Without permutations of galleries there are no draw columns."""
        held = {camera: folders_in(folder / f"cam{camera}") for camera in LOCATION}
        empty = [f"cam{camera}" for camera, people in held.items() if not people]
        if empty:
            shown = [f"cam{camera} ({len(people)} identities)" for camera, people in held.items() if people]
            raise not_whole(
                folder, layout, missing=empty, found=shown, own=[f"cam{camera}" for camera in LOCATION]
            )
        lists = _lists(folder, layout)
        known = {
            camera: {int(one.name): one for one in people if one.name.isdigit()}
            for camera, people in held.items()
        }
        present = {identity for people in known.values() for identity in people}
        _check_listed(folder, lists, present)
        draws = read_permutations(folder / FILE) if (folder / FILE).is_file() else {}
        _check_drawn(folder, draws, lists["test"], known)
        rows = [
            row
            for split, names in (("train", ("train", "val")), ("test", ("test",)))
            for camera, people in known.items()
            for identity, name in sorted((i, name) for name in names for i in lists[name])
            if identity in people
            for row in _rows(people[identity], layout, camera, name, split, draws)
        ]
        unlisted = present.difference(*lists.values())
        notes = [f"left out: {len(unlisted)} identities that are in no list of exp/"] if unlisted else []
        if not draws:
            notes.append(f"there is no {FILE}: the official galleries are not known, only seeded ones")
        return Reading(rows=tuple(rows), notes=tuple(notes))


def _lists(folder: Path, layout: Layout) -> dict[str, set[int]]:
    """Read the lists of identities.

    Raises:
        InputError: a list missing or not of numbers, or an identity in two lists.
    """
    files: dict[str, Path | None] = {}
    for name in LISTS:
        ways = (folder / "exp" / f"{name}_id{ending}" for ending in (".txt", ".mat"))
        files[name] = next((way for way in ways if way.is_file()), None)
    missing = [name for name, file in files.items() if file is None]
    if missing:
        beside = folder / "exp"
        held = sorted(entry.name for entry in beside.iterdir()) if beside.is_dir() else []
        raise InputError(
            f"{folder} lacks the lists of identities {', '.join(f'exp/{name}_id.txt' for name in missing)}; "
            f"exp holds {', '.join(held[:12]) or 'nothing'}",
            allowed=layout.summary,
            do="copy the folder exp of the release",
        )
    lists = {name: _numbers(file) for name, file in files.items() if file is not None}
    for name, other in (("train", "val"), ("train", "test"), ("val", "test")):
        both = sorted(lists[name] & lists[other])
        if both:
            raise InputError(f"{folder / 'exp'}: identity {both[0]} is in {name}_id and in {other}_id")
    return lists


def _numbers(path: Path) -> set[int]:
    """Read the identities of a list: numbers separated by commas or lines, or a MATLAB row `id`."""
    if path.suffix == ".mat":
        import scipy.io

        try:
            return {int(number) for number in np.ravel(scipy.io.loadmat(path)["id"])}
        except Exception as error:  # damaged files raise what their bytes happen to mean
            raise InputError(f"{path}: {error}", allowed="a MATLAB file with the row `id`") from error
    return read_numbers(path)


def _check_listed(folder: Path, lists: dict[str, set[int]], present: set[int]) -> None:
    for name, wanted in lists.items():
        lost = sorted(wanted - present)
        if lost:
            shown = ", ".join(f"{identity:04d}" for identity in lost[:5]) + (" ..." if len(lost) > 5 else "")
            raise InputError(
                f"{folder}: {len(lost)} of {len(wanted)} identities of exp/{name}_id have no folder under "
                f"any camera: {shown}; found {len(present)} identities",
                allowed="cam{1..6}/<4 digits>/<4 digits>.jpg for every identity of the lists",
                do="copy the missing folders",
            )


def _check_drawn(
    folder: Path, draws: Permutations, tested: Collection[int], known: Mapping[int, Mapping[int, Path]]
) -> None:
    """Check that every folder of a test identity is there that the permutations draw from."""
    for (camera, identity), order in sorted(draws.items(), key=lambda item: item[0]):
        if identity in tested and identity not in known.get(camera, {}):
            raise _incomplete(folder / f"cam{camera}" / f"{identity:04d}", 0, order.shape[1])


def _incomplete(folder: Path, images: int, drawn: int) -> InputError:
    return InputError(
        f"{folder} holds {images} images, {FILE} draws from {drawn}",
        do="copy the folder again: the official galleries fit the whole release only",
    )


def _rows(
    folder: Path, layout: Layout, camera: int, name: str, split: str, draws: Permutations
) -> Iterator[Row]:
    """Yield the rows of one identity under one camera, in the order of file names."""
    images = images_in(folder)
    modality = NIR if camera in INFRARED else RGB
    extra: list[dict[str, str]] = [{"list": name}] * len(images)
    if split == "test":
        extra = _draws(folder, camera, len(images), draws) or [{}] * len(images)
    for (stem, path), columns in zip(images.items(), extra, strict=True):
        yield Row(
            index=0,
            source="",
            observation=f"cam{camera}/{folder.name}/{stem}",
            paths={modality: path},
            identity=folder.name,
            kind=layout.kind,
            camera=str(camera),
            scene=LOCATION[camera],
            split=split,
            is_query=split == "test" and modality == NIR,
            is_gallery=split == "test" and modality == RGB,
            extra=columns,
        )


def _draws(folder: Path, camera: int, images: int, draws: Permutations) -> list[dict[str, str]]:
    """Return the draw columns of one identity under one camera; empty where nothing is drawn.

    Raises:
        InputError: the permutations are of another number of images, or lack a folder of the gallery.
    """
    order = draws.get((camera, int(folder.name)))
    if order is None and (not draws or camera in INFRARED):
        return []
    drawn = 0 if order is None else order.shape[1]
    if order is None or drawn != images:
        raise _incomplete(folder, images, drawn)
    return draw_columns(order)
