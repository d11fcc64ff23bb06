"""Data sets: reading one from a manifest, a folder with one, or a benchmark folder; writing a manifest."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from nextreid.data.layouts import LAYOUTS, layout_named, read_layout, recognise, recognised_inside, resembled
from nextreid.data.rows import FACTS, Manifest, Row
from nextreid.data.table import BOX, SUFFIXES, read_table
from nextreid.errors import InputError

__all__ = ["Manifest", "Row", "load_manifest", "write_manifest"]


def load_manifest(
    data: str | Path, *, layout: str | None = None, modalities: Sequence[str] | None = None
) -> Manifest:
    """Load a data set.

    Args:
        data: a manifest (CSV or Parquet), a folder with `manifest.csv` or `manifest.parquet`, or a
            benchmark folder.
        layout: name of the benchmark's layout, where it is not recognised, or to read the folder's
            images although a manifest lies in it; `name@variant` for a variant.
        modalities: columns of the manifest that are modalities; None: found by name and content
            (`data/table.py` says how).

    Raises:
        InputError: nothing that is a data set, or one with faults: named by file, row and column.
    """
    path = Path(data)
    if not path.exists():
        raise InputError(
            f"There is no data set at {path}", allowed="a manifest, a folder with one, or a benchmark folder"
        )
    if layout is not None:
        known, variant = layout_named(layout)
        if not path.is_dir():
            raise InputError(f"{path} is not a folder", allowed=f"the folder of a {layout} tree")
        return read_layout(path, known, variant)
    if path.is_file():
        return read_table(path, modalities=modalities)
    tables = [path / f"manifest{suffix}" for suffix in SUFFIXES if (path / f"manifest{suffix}").is_file()]
    if len(tables) > 1:
        raise InputError(
            f"{path} holds {' and '.join(t.name for t in tables)}", do="give one of them by name"
        )
    if tables:
        return read_table(tables[0], modalities=modalities)
    found = recognise(path)
    if found is None:
        inside, like = recognised_inside(path), resembled(path)
        entries = sorted(entry.name for entry in path.iterdir())
        table = next((path / name for name in entries if name.lower().endswith(SUFFIXES)), None)
        shown = ", ".join(entries[:12]) + (" ..." if len(entries) > 12 else "") or "nothing"
        raise InputError(
            f"{path} is not a data set; it holds {shown}",
            allowed="manifest.csv or manifest.parquet, or the folders of a benchmark: "
            + "; ".join(f"{one.name}: {one.summary}" for one in ([like] if like else LAYOUTS.values())),
            do=f"give {inside or table}"
            if inside or table
            else f"name the layout: --layout {like.name} says what is missing, if this is {like.title}"
            if like
            else "name the layout with --layout, or write a manifest",
        )
    return read_layout(path, LAYOUTS[found])


def write_manifest(data: Manifest | Sequence[Row], out: str | Path) -> None:
    """Write rows as a manifest, CSV or Parquet by the file's suffix.

    Image paths become relative to the manifest's folder. Columns that no row fills are left out. The
    benchmark's layout goes with a manifest, as the column `layout`.

    Args:
        data: a manifest, or rows.
        out: the file; it appears whole or not at all.

    Raises:
        InputError: another suffix, or no row.
    """
    rows = data.rows if isinstance(data, Manifest) else tuple(data)
    out = Path(os.path.abspath(out))
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{out} cannot be written as a manifest", allowed=f"a file ending in {', '.join(SUFFIXES)}"
        )
    if not rows:
        raise InputError(f"No row to write to {out}")
    header, records = _records(rows, os.path.realpath(out.parent))
    if isinstance(data, Manifest) and data.layout is not None:
        header.append("layout")
        records = [record | {"layout": data.layout} for record in records]
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.stem}.{os.getpid()}.part{out.suffix}")
    try:
        if out.suffix.lower() == ".csv":
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(records)
        else:
            import pyarrow
            import pyarrow.parquet

            columns = {name: [record.get(name) for record in records] for name in header}
            pyarrow.parquet.write_table(pyarrow.table(columns), partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)


def _records(rows: Sequence[Row], folder: str) -> tuple[list[str], list[dict[str, str]]]:
    modalities = list(dict.fromkeys(name for row in rows for name in row.paths))
    boxed = [name for name in modalities if any(name in row.boxes for row in rows)]
    facts = [name for name in FACTS if any(getattr(row, name) is not None for row in rows)]
    extra = list(dict.fromkeys(name for row in rows for name in row.extra))
    header = ["observation", *facts, "split", "is_query", "is_gallery"]
    for name in modalities:
        header += [name, name + BOX] if name in boxed else [name]
    records = []
    real: dict[Path, Path] = {}
    for row in rows:
        record = {name: getattr(row, name) for name in facts if getattr(row, name) is not None}
        record |= {"observation": row.observation, "split": row.split}
        record |= {name: "true" if getattr(row, name) else "false" for name in ("is_query", "is_gallery")}
        record |= {name: _relative(path, folder, real) for name, path in row.paths.items()}
        record |= {name + BOX: " ".join(map(str, box)) for name, box in row.boxes.items()}
        records.append(record | dict(row.extra))
    return header + extra, records


def _relative(path: Path, folder: str, real: dict[Path, Path]) -> str:
    """Write a path relative to a folder, with forward slashes; absolute where there is no way (drives).

    Links are followed in the folders, not in the file: its name is what captions are joined by.

    Args:
        path: the image.
        folder: where the manifest lies, without links.
        real: folders already followed, to be filled.
    """
    if path.parent not in real:
        real[path.parent] = Path(os.path.realpath(path.parent))
    try:
        return Path(os.path.relpath(real[path.parent] / path.name, folder)).as_posix()
    except ValueError:
        return path.as_posix()
