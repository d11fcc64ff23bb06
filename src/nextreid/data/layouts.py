"""All layouts by name; recognising one, and reading a benchmark's folder as a data set."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from nextreid.data.benchmarks_aligned import (
    MARKET1501_MM,
    MSVR310,
    RGBN300,
    RGBNT100,
    RGBNT201,
    WMVEID863,
)
from nextreid.data.benchmarks_crossed import FOLDER, LLCM, REGDB, SYSU_MM01
from nextreid.data.layout import Layout, nearest
from nextreid.data.layout_files import listing
from nextreid.data.rows import Manifest
from nextreid.errors import InputError

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        RGBNT201,
        RGBNT100,
        RGBN300,
        MSVR310,
        WMVEID863,
        MARKET1501_MM,
        SYSU_MM01,
        REGDB,
        LLCM,
        FOLDER,
    )
}
"""All layouts; `--layout` calls them by these names, a variant by `name@variant`."""


def layout_named(wanted: str) -> tuple[Layout, str]:
    """Return a layout and its variant by name: `regdb@3`; the variant is "" where none is named.

    Raises:
        InputError: no such layout, or no such variant of it.
    """
    name, at, variant = wanted.partition("@")
    if name not in LAYOUTS:
        near = nearest(name, LAYOUTS)
        raise InputError(
            f"{name!r} is not a layout",
            allowed=", ".join(LAYOUTS),
            do=f"write --layout {near}, if that is meant" if near else "see `nextreid data list`",
        )
    layout = LAYOUTS[name]
    if at and variant not in layout.variants:
        options = ", ".join([name, *(f"{name}@{one}" for one in layout.variants)])
        raise InputError(f"{name} has no variant {variant!r}", allowed=options)
    return layout, variant


def layout_of(manifest: Manifest) -> Layout | None:
    """Return the layout that a data set was read as or imported from; None where it has none."""
    return layout_named(manifest.layout)[0] if manifest.layout is not None else None


def recognise(folder: Path) -> str | None:
    """Return the name of the layout that a folder has, or begins to have; None for no layout."""
    return next((name for name, layout in LAYOUTS.items() if layout.reader.begins(folder)), None)


def resembled(folder: Path) -> Layout | None:
    """Return the layout that a folder most looks like by the names in it and its own, if any."""
    entries = [entry.name for entry in folder.iterdir()]

    def likeness(layout: Layout) -> tuple[int, bool]:
        near = sum(nearest(top, entries) is not None for top in set(layout.reader.tops))
        return near, nearest(layout.title, [folder.name]) is not None

    best = max(LAYOUTS.values(), key=likeness)
    return best if any(likeness(best)) else None


def recognised_inside(folder: Path) -> Path | None:
    """Return a data set one floor below a folder, for those who name the folder above it."""
    for inside in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if recognise(inside) or any((inside / f"manifest{s}").is_file() for s in (".csv", ".parquet")):
            return inside
    return None


def read_layout(folder: Path, layout: Layout, variant: str = "") -> Manifest:
    """Read a benchmark's folder: rows in sorted order of split (train first) and observation.

    No image is decoded. A modality's missing file makes that modality absent.

    Args:
        folder: the benchmark's folder.
        layout: its layout.
        variant: one of its variants, or "".

    Raises:
        InputError: folders or files missing or empty (expected against found), an image whose name breaks
            the rule, or a name that occurs twice.
    """
    folder = Path(os.path.abspath(folder))
    reading = layout.reader.read(folder, layout, variant)
    seen: set[str] = set()
    for row in reading.rows:
        if row.observation in seen:
            raise InputError(f"{folder}: {row.observation} occurs twice", allowed="each image once")
        seen.add(row.observation)
    rows = tuple(
        replace(row, index=number, source=folder.name) for number, row in enumerate(reading.rows, start=1)
    )
    text = listing(rows, folder, by_path=reading.by_path)
    return Manifest(
        name=f"{folder.name}@{variant}" if variant else folder.name,
        source=folder,
        root=folder,
        modalities=tuple(name for name in layout.modalities if any(name in row.paths for row in rows)),
        rows=rows,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        layout=f"{layout.name}@{variant}" if variant else layout.name,
        notes=reading.notes,
    )
