"""Benchmark folders as values: folder names, file-name rule, protocol. No class for each benchmark."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nextreid.data.rows import FACTS, Manifest, Row
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
"""Endings that make a file an image (ours: what such data sets are stored in)."""


@dataclass(frozen=True)
class Layout:
    """How a benchmark lies on disk: one folder per split, in it one per modality, one name per sample.

    Attributes:
        name: what `--layout` calls it.
        summary: the folders, for messages.
        kind: kind of object.
        splits: split -> folder; the whole test split is query and gallery.
        folders: modality -> folder inside a split's folder.
        pattern: regular expression for a file name without its ending; its named groups become
            columns, those that a manifest does not know are kept as the user's own.
        numbers: groups that are written without leading zeros.
        protocol: the evaluation protocol that goes with it.
        captions: folder of the published captions.
        citation: where these facts come from.
    """

    name: str
    summary: str
    kind: str
    splits: Mapping[str, str]
    folders: Mapping[str, str]
    pattern: str
    numbers: frozenset[str]
    protocol: str
    captions: str
    citation: str


LAYOUTS: dict[str, Layout] = {
    "rgbnt201": Layout(
        name="rgbnt201",
        summary="train_171/{RGB,NI,TI} and test/{RGB,NI,TI}, the same file name in the three folders",
        kind="person",
        splits={"train": "train_171", "test": "test"},
        folders={RGB: "RGB", NIR: "NI", TIR: "TI"},
        # 000287_cam1_0_05: identity, camera, an undocumented flag that is constant per identity,
        # frame. It matches all 4787 published names. Worlds may have more cameras than the real four.
        pattern=r"(?P<identity>\d{6})_cam(?P<camera>\d+)_(?P<flag>[01])_(?P<frame>\d{2,})",
        numbers=frozenset({"camera"}),
        protocol="cross-camera",
        captions="text",
        citation="reference DeMo, TOP-ReID, IDEA: query = gallery = the whole test folder; the original "
        "paper's 141 training and 30 validation identities merged",
    ),
}


def recognise(folder: Path) -> str | None:
    """Return the name of the layout that a folder has, or begins to have; None for no layout."""
    for name, layout in sorted(LAYOUTS.items()):
        for split in layout.splits.values():
            if any((folder / split / modality).is_dir() for modality in layout.folders.values()):
                return name
    return None


def recognised_inside(folder: Path) -> Path | None:
    """Return a data set one floor below a folder, for those who name the folder above it."""
    for inside in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if recognise(inside) or any((inside / f"manifest{s}").is_file() for s in (".csv", ".parquet")):
            return inside
    return None


def read_layout(folder: Path, layout: Layout) -> Manifest:
    """Read a benchmark folder: rows in sorted order of split (train first) and file name.

    A sample is what has one name; a modality's missing file makes that modality absent.

    Args:
        folder: the benchmark's folder.
        layout: its layout.

    Raises:
        InputError: folders missing or empty (expected against found), an image whose name breaks the
            rule, or a name that occurs twice.
    """
    folder = Path(os.path.abspath(folder))
    files = {
        (split, modality): _images(folder / top / inner)
        for split, top in layout.splits.items()
        for modality, inner in layout.folders.items()
    }
    _check_whole(folder, layout, files)
    rows: list[Row] = []
    seen: dict[str, str] = {}
    for split, top in layout.splits.items():
        stems = sorted({stem for modality in layout.folders for stem in files[split, modality]})
        for stem in stems:
            if stem in seen:
                raise InputError(
                    f"{folder}: {stem} lies in {seen[stem]} and in {top}", allowed="each name in one split"
                )
            seen[stem] = top
            paths = {m: files[split, m][stem] for m in layout.folders if stem in files[split, m]}
            rows.append(_row(len(rows) + 1, folder, layout, split, stem, paths))
    listing = "\n".join(sorted(p.relative_to(folder).as_posix() for row in rows for p in row.paths.values()))
    return Manifest(
        name=folder.name,
        source=folder,
        root=folder,
        modalities=tuple(m for m in layout.folders if any(m in row.paths for row in rows)),
        rows=tuple(rows),
        sha256=hashlib.sha256(listing.encode()).hexdigest(),
        layout=layout.name,
    )


def _images(folder: Path) -> dict[str, Path]:
    """Return stem -> path of the images in a folder; hidden files and other files are passed over."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.stem in found:
            raise InputError(
                f"{folder} holds {found[path.stem].name} and {path.name}", do="remove one of them"
            )
        found[path.stem] = path
    return found


def _check_whole(folder: Path, layout: Layout, files: Mapping[tuple[str, str], Mapping[str, Path]]) -> None:
    missing = [
        f"{layout.splits[split]}/{layout.folders[modality]}"
        for (split, modality), found in files.items()
        if not found
    ]
    if not missing:
        return
    present = [
        f"{layout.splits[split]}/{layout.folders[modality]} ({len(found)} images)"
        for (split, modality), found in files.items()
        if found
    ]
    entries = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(present or entries[:12]) or "nothing"
    raise InputError(
        f"{folder} is not a whole {layout.name} tree: no images in {', '.join(missing)}; found {shown}",
        allowed=f"{layout.summary} (names as in the release, upper and lower case matter)",
        do="copy the missing folders, or write a manifest for the part you have",
    )


def _row(index: int, folder: Path, layout: Layout, split: str, stem: str, paths: Mapping[str, Path]) -> Row:
    match = re.fullmatch(layout.pattern, stem)
    if match is None:
        first = next(iter(paths.values()))
        raise InputError(
            f"{first}: the file name does not follow the {layout.name} rule",
            allowed=f"names like {layout.pattern} with an image ending",
            do="remove or rename it",
        )
    parts = {
        key: str(int(value)) if key in layout.numbers else value
        for key, value in match.groupdict().items()
        if value is not None
    }
    return Row(
        index=index,
        source=folder.name,
        observation=stem,
        paths=dict(paths),
        kind=layout.kind,
        identity=parts.get("identity"),
        camera=parts.get("camera"),
        scene=parts.get("scene"),
        view=parts.get("view"),
        split=split,
        is_query=split == "test",
        is_gallery=split == "test",
        extra={key: value for key, value in parts.items() if key not in FACTS},
    )
