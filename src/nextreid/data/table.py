"""Manifest files: CSV and Parquet, one row per observation.

Columns: `observation`; the optional facts `identity, kind, camera, scene, time, view, lookalike`;
`split`, `is_query`, `is_gallery`; `layout`, the benchmark it was imported from; one path column per
modality, with an optional `<modality>_box`.
Any other column is kept as it is.

A column is a modality if it is called rgb, nir or tir; or if there is a column `<name>_box`; or if
its first filled cell ends like an image file. Whoever loads the manifest may name the modalities
instead, which settles it.
"""

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from nextreid.data.layout_files import IMAGE_SUFFIXES
from nextreid.data.layouts import LAYOUTS, layout_named
from nextreid.data.rows import RESERVED, SPLITS, Manifest, Row
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR, check_modality, modality_tuple
from nextreid.observation import Box

SUFFIXES = (".csv", ".parquet")
BOX = "_box"

_TRUE, _FALSE = ("true", "1"), ("false", "0")


def read_table(path: Path, *, modalities: Sequence[str] | None = None) -> Manifest:
    """Read a manifest file.

    Args:
        path: CSV (UTF-8, comma) or Parquet; relative image paths start at its folder.
        modalities: the columns that are modalities; None: found as described above.

    Raises:
        InputError: naming file, row (as numbered in the file) and column.
    """
    path = Path(os.path.abspath(path))
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is not a manifest", allowed=f"a file ending in {' or '.join(SUFFIXES)}")
    content = path.read_bytes()
    header, cells = (_csv if path.suffix.lower() == ".csv" else _parquet)(path, content)
    _check_header(path, header)
    if not cells:
        raise InputError(f"{path} lists no observation", allowed="one row per observation below the header")
    names = _modality_columns(path, header, cells, modalities)
    rows: list[Row] = []
    lines: dict[str, int] = {}
    for index, cell in cells:
        row = _row(index, path, cell, names)
        if row.observation in lines:
            raise InputError(
                f"{path}, rows {lines[row.observation]} and {index}: the observation {row.observation!r} is "
                "listed twice",
                allowed="one row per observation, with a column for each modality",
            )
        lines[row.observation] = index
        rows.append(row)
    return Manifest(
        name=path.parent.name if path.stem == "manifest" else path.stem,
        source=path,
        root=path.parent,
        modalities=tuple(name for name in names if any(name in row.paths for row in rows)),
        rows=tuple(rows),
        sha256=hashlib.sha256(content).hexdigest(),
        layout=_layout(path, cells),
    )


def _layout(path: Path, cells: "Cells") -> str | None:
    """Return the benchmark layout that every row names; None where they name none, or different ones."""
    named: dict[str, int] = {}
    for index, cell in cells:
        named.setdefault(cell.get("layout", ""), index)
    for name, index in named.items():
        try:
            layout_named(name or "folder")
        except InputError as error:
            raise InputError(
                f"{path}, row {index}, column layout: {name!r}",
                allowed=f"{', '.join(LAYOUTS)}, with @VARIANT where there is one; or empty",
                do="rename the column, if it is one of your own",
            ) from error
    return next(iter(named)) or None if len(named) == 1 else None


Cells = list[tuple[int, dict[str, str]]]
"""(row number, column -> text) of every row; empty cells are left out."""


def _csv(path: Path, content: bytes) -> tuple[list[str], Cells]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}", do="save it as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    cells: Cells = []
    line = 1  # the line a row begins at: cells may hold line breaks
    try:
        for record in reader:
            begins, line = line, reader.line_num + 1
            if not record:
                continue  # a blank line
            if not header:
                header = [name.strip() for name in record]
                continue
            if len(record) != len(header):
                raise InputError(
                    f"{path}, row {begins} has {len(record)} cells, the header has {len(header)} columns",
                    do="put cells that hold a comma in quotes",
                )
            values = [(name, cell.strip()) for name, cell in zip(header, record, strict=True)]
            filled = [(name, cell) for name, cell in values if cell]
            if any(not name for name, _ in filled):
                raise InputError(f"{path}, row {begins} has a cell in a column without a name")
            if filled:  # a spreadsheet leaves rows of nothing but commas
                cells.append((begins, dict(filled)))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV: {error}") from error
    return [name for name in header if name], cells


def _parquet(path: Path, content: bytes) -> tuple[list[str], Cells]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}", do="write it again") from error
    records = table.to_pylist()
    texts = ({name: _text(value) for name, value in record.items()} for record in records)
    cells = [
        (number, {name: cell for name, cell in record.items() if cell})
        for number, record in enumerate(texts, start=1)
    ]
    return list(table.column_names), cells


def _text(value: object) -> str:
    """Write a typed Parquet value as a CSV would; null and NaN are empty cells."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # integers with nulls are stored as floats
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return " ".join(_text(item) for item in value)  # a box
    return str(value).strip()


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not header:
        raise InputError(f"{path} is empty", allowed="a header line and one row per observation")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{path}: the column {', '.join(map(repr, twice))} occurs twice")
    known = {*RESERVED, RGB, NIR, TIR}
    for name in header:
        if name not in known and name.lower() in known:
            raise InputError(f"{path}: the column {name!r}", allowed="column names in lower case")
    if "observation" not in header:
        one = header[0] if len(header) == 1 else ""
        separator = next((sign for sign in (";", "\t", "|") if sign in one), None)
        raise InputError(
            f"{path} has no column `observation`; its columns are {', '.join(header)}",
            allowed="observation, and at least one modality column such as rgb",
            do=f"separate columns by commas, not by {separator!r}" if separator else None,
        )


def _modality_columns(
    path: Path, header: Sequence[str], cells: Cells, chosen: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the modality columns in column order."""
    if chosen is not None:
        missing = [name for name in modality_tuple(chosen) if name not in header or name in RESERVED]
        if missing:
            raise InputError(
                f"{path} has no modality column {', '.join(missing)}", allowed=", ".join(_free(header))
            )
        names = [name for name in header if name in chosen]
    else:
        names = [name for name in _free(header) if _is_modality(name, header, cells)]
    if not names:
        raise InputError(
            f"{path} has no modality column; its columns are {', '.join(header)}",
            allowed="rgb, nir, tir, or a column of your own whose cells are image files",
        )
    strays = [
        name
        for name in header
        if name.endswith(BOX) and name.removesuffix(BOX) in {RGB, NIR, TIR} - set(names)
    ]
    if strays and chosen is None:
        raise InputError(f"{path}: the column {strays[0]!r} has no modality column beside it")
    return tuple(check_modality(name) for name in names)


def _free(header: Iterable[str]) -> list[str]:
    return [name for name in header if name not in RESERVED and not name.endswith(BOX)]


def _is_modality(name: str, header: Sequence[str], cells: Cells) -> bool:
    if name in (RGB, NIR, TIR) or f"{name}{BOX}" in header:
        return True
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return False
    first = next((cell[name] for _, cell in cells if name in cell), "")
    return first.lower().endswith(IMAGE_SUFFIXES)


def _row(index: int, path: Path, cell: Mapping[str, str], names: Sequence[str]) -> Row:
    place = f"{path}, row {index}"
    if "observation" not in cell:
        raise InputError(f"{place}: no observation id", allowed="an id in every row")
    paths = {name: Path(os.path.join(path.parent, cell[name])) for name in names if name in cell}
    if not paths:
        raise InputError(
            f"{place}: the observation {cell['observation']!r} has no image",
            allowed=f"a path in at least one of {', '.join(names)}",
            do="remove the row",
        )
    boxes = {}
    for name in names:
        if name + BOX in cell:
            if name not in paths:
                raise InputError(f"{place}: {name}{BOX} is filled, but {name} is empty")
            boxes[name] = _box(cell[name + BOX], f"{place}, column {name}{BOX}")
    split = cell.get("split", "test")
    if split not in SPLITS:
        raise InputError(f"{place}, column split: {split!r}", allowed=", ".join(SPLITS))
    if "time" in cell:
        try:
            datetime.fromisoformat(cell["time"])
        except ValueError as error:
            raise InputError(
                f"{place}, column time: {cell['time']!r}", allowed="ISO 8601, e.g. 2024-05-31T21:04:00"
            ) from error
    used = {*RESERVED, *names, *(name + BOX for name in names)}
    return Row(
        index=index,
        source=path.name,
        observation=cell["observation"],
        paths=paths,
        boxes=boxes,
        split=split,
        is_query=_truth(cell, "is_query", split == "test", place),
        is_gallery=_truth(cell, "is_gallery", split == "test", place),
        extra={name: value for name, value in cell.items() if name not in used},
        identity=cell.get("identity"),
        kind=cell.get("kind"),
        camera=cell.get("camera"),
        scene=cell.get("scene"),
        time=cell.get("time"),
        view=cell.get("view"),
        lookalike=cell.get("lookalike"),
    )


def _truth(cell: Mapping[str, str], name: str, otherwise: bool, place: str) -> bool:
    if name not in cell:
        return otherwise
    text = cell[name].lower()
    if text not in _TRUE + _FALSE:
        raise InputError(f"{place}, column {name}: {cell[name]!r}", allowed="true, false, 1, 0, or empty")
    return text in _TRUE


def _box(text: str, place: str) -> Box:
    parts = text.split()
    if len(parts) != 4 or not all(re.fullmatch(r"-?\d+", part) for part in parts):
        raise InputError(f"{place}: {text!r}", allowed="four whole numbers, x0 y0 x1 y1, in pixels")
    x0, y0, x1, y1 = (int(part) for part in parts)
    if x0 >= x1 or y0 >= y1:
        raise InputError(f"{place}: {text!r} is an empty box", allowed="x0 < x1 and y0 < y1")
    return (x0, y0, x1, y1)
