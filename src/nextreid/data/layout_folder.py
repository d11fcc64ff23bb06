"""Reading any folder per identity: `<split>/<identity>/<modality>/<file>` and its simpler relatives.

Read are, with or without the split's folder above them:

- `<identity>/<modality>/<file>`
- `<modality>/<identity>/<file>`
- `<identity>/<file>`: one modality, RGB

Splits are folders named train, test, query and gallery. Query and gallery are parts of the test split; a
folder `test` is both, or what the other of the two is not. Without any of them everything is the test
split. A query that lies in the gallery, too, by name and content, is one row with both roles; if only the
names are equal, it is a row of its own, `query/<identity>/<file>`.

Folders are modalities if all on their level have one of the names in `MODALITY_NAMES`. Files of the
modalities are paired by their name within an identity. The camera is read from names like `0001_c2_07` or
`0001_cam2_07`, if every file has one.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nextreid.data.layout import Layout, Reading
from nextreid.data.layout_files import folders_in, images_in
from nextreid.data.layout_parts import alike, twins_note
from nextreid.data.rows import Row
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR

MODALITY_NAMES = {
    "rgb": RGB,
    "vis": RGB,
    "visible": RGB,
    "nir": NIR,
    "ni": NIR,
    "ir": NIR,
    "infrared": NIR,
    "tir": TIR,
    "ti": TIR,
    "th": TIR,
    "thermal": TIR,
}
"""Folder name in lower case -> modality (ours: the names that the benchmarks here use)."""

SPLIT_NAMES = ("train", "gallery", "test", "query")
"""In this order: where two folders have one name, the row is called as in the first of them."""

CAMERA = re.compile(r"(?:^|[_\-. ])(?:cam(?:era)?|c)(\d+)(?=s\d|[_\-. ]|$)", re.IGNORECASE)
"""A camera in a file's name; `c1s1` is Market-1501's camera 1, sequence 1."""


@dataclass(frozen=True)
class FolderPerIdentity:
    """The form; see `Reader`."""

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""
        return ()

    def begins(self, folder: Path) -> bool:
        """Return False: any heap of folders looks like this, so it is read only where it is named."""
        return False

    def read(self, folder: Path, layout: Layout, variant: str) -> Reading:
        """Read the folder; see `Reader`."""
        tops = {one.name.lower(): one for one in folders_in(folder) if one.name.lower() in SPLIT_NAMES}
        strangers = [one.name for one in folders_in(folder) if one.name.lower() not in SPLIT_NAMES]
        if tops and strangers:
            raise InputError(
                f"{folder} holds the splits {', '.join(sorted(tops))} beside {', '.join(strangers[:8])}",
                allowed=f"folders named {', '.join(SPLIT_NAMES)}, or identities or modalities alone",
                do="move the others elsewhere",
            )
        found: dict[tuple[str, str], Row] = {}
        notes: list[str] = []
        for name in SPLIT_NAMES if tops else ("test",):
            top = tops.get(name, folder)
            new = _rows(top, layout, name, set(tops)) if not tops or name in tops else ()
            twins = [row.observation for row in new if _add(found, row, name, folder)]
            if twins:
                notes.append(twins_note(len(twins), name, sorted(twins)[0]))
        rows = [found[key] for key in sorted(found, key=lambda key: (key[0] == "test", key[1]))]
        if not rows:
            entries = sorted(entry.name for entry in folder.iterdir())
            raise InputError(
                f"{folder} holds no images in folders of identities; found "
                f"{', '.join(entries[:12]) or 'nothing'}",
                allowed=layout.summary,
            )
        has_gallery = any(row.is_gallery for row in rows)
        if not has_gallery and any(row.is_query for row in rows):
            raise InputError(f"{folder} holds queries but no gallery", allowed="query and gallery, or test")
        rows, without = _with_cameras(rows, folder)
        return Reading(rows=tuple(rows), notes=(*notes, *without))


def _rows(top: Path, layout: Layout, name: str, beside: set[str]) -> Iterator[Row]:
    """Yield a row for each identity and file name of one split's folder; `beside` are all splits' names."""
    groups: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for identity, modality, stem, path in _listed(top):
        if modality in groups[identity, stem]:
            raise InputError(f"{path} and {groups[identity, stem][modality]} are the same modality")
        groups[identity, stem][modality] = path
    for (identity, stem), paths in groups.items():
        yield Row(
            index=0,
            source="",
            observation=f"{identity}/{stem}",
            paths=paths,
            identity=identity,
            kind=layout.kind,
            split="train" if name == "train" else "test",
            is_query=name == "query" or (name == "test" and "query" not in beside),
            is_gallery=name == "gallery" or (name == "test" and "gallery" not in beside),
        )


def _listed(top: Path) -> Iterator[tuple[str, str, str, Path]]:
    """Yield (identity, modality, file name without its ending, path) of the images below a folder."""
    outer = folders_in(top)
    if outer and all(one.name.lower() in MODALITY_NAMES for one in outer):
        for above in outer:
            for person in folders_in(above):
                for stem, path in images_in(person).items():
                    yield person.name, MODALITY_NAMES[above.name.lower()], stem, path
        return
    for person in outer:
        inner = folders_in(person)
        strange = [one.name for one in inner if one.name.lower() not in MODALITY_NAMES]
        if strange:
            raise InputError(
                f"{person} holds the folder {strange[0]}, which is no modality",
                allowed=f"modality folders named {', '.join(MODALITY_NAMES)}, or images",
                do="rename the folder, or write a manifest with columns of your own modalities",
            )
        for stem, path in images_in(person).items():
            yield person.name, RGB, stem, path
        for one in inner:
            for stem, path in images_in(one).items():
                yield person.name, MODALITY_NAMES[one.name.lower()], stem, path


def _add(found: dict[tuple[str, str], Row], row: Row, top: str, folder: Path) -> bool:
    """Add a row of a split's folder; tell whether it shares its name only with one that is there already.

    The same images in two folders of the test split are one observation with both roles.
    """
    if row.split == "test" and ("train", row.observation) in found:
        raise InputError(
            f"{folder}: {row.observation} lies in train and in a folder of the test split",
            allowed="each identity's file name in one split",
        )
    other = found.get((row.split, row.observation))
    if other is None:
        found[row.split, row.observation] = row
        return False
    if set(other.paths) & set(row.paths) and alike(other.paths, row.paths):
        found[row.split, row.observation] = replace(
            other,
            paths={**row.paths, **other.paths},
            is_query=row.is_query or other.is_query,
            is_gallery=row.is_gallery or other.is_gallery,
        )
        return False
    name = f"{top}/{row.observation}"
    found[row.split, name] = replace(row, observation=name)
    return True


def _with_cameras(rows: list[Row], folder: Path) -> tuple[list[Row], list[str]]:
    """Fill in the camera that the file names say, where all of them say one; say what breaks the rule."""
    cameras: Mapping[str, str] = {
        row.observation: str(int(match[1]))
        for row in rows
        if (match := CAMERA.search(row.observation.rpartition("/")[2])) is not None
    }
    silent = [row for row in rows if row.observation not in cameras]
    if silent and cameras:
        first = next(iter(silent[0].paths.values())).relative_to(folder).as_posix()
        return rows, [
            f"no camera is read, since {len(silent)} of {len(rows)} names say none (as in 0001_c2_07.jpg): "
            f"first {first}"
        ]
    return (rows if silent else [replace(row, camera=cameras[row.observation]) for row in rows]), []
