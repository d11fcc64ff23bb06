"""A caption set: a folder with the answers of the models, the captions made of them, and how they were made.

answers.jsonl       what was replied, in the order of arrival (not there for imported captions)
captions.parquet    one row a slot
text/*.json         the captions in the published form, one file per split and modality
run.yaml            settings, data set, schema: what the captions were made with
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nextreid.atomic import written_whole
from nextreid.attributes.schema import Schema
from nextreid.captions.table import CaptionTable, read_table, write_table
from nextreid.data.rows import Row
from nextreid.errors import InputError
from nextreid.modality import PUBLISHED_TAG

ANSWERS, TABLE, RUN, TEXT = "answers.jsonl", "captions.parquet", "run.yaml", "text"

FORMAT = "nextreid.caption_set/1"


@dataclass(frozen=True)
class CaptionSet:
    """A caption set in memory.

    Attributes:
        folder: where it lies.
        schema: the attribute schema that its slots are told in.
        table: its slots.
        run: how it was made: the content of run.yaml without format and schema.
    """

    folder: Path
    schema: Schema
    table: CaptionTable
    run: Mapping[str, Any] = field(default_factory=dict)


def is_caption_set(folder: str | Path) -> bool:
    """Tell whether a folder holds a caption set (with a table; a generation under way has none yet)."""
    return (Path(folder) / TABLE).is_file() and (Path(folder) / RUN).is_file()


def check_finished(folder: str | Path) -> None:
    """Refuse a set whose making was interrupted: it notes how it is made, and holds no captions yet.

    Raises:
        InputError: such a one; it says how to go on.
    """
    folder = Path(folder)
    if (folder / RUN).is_file() and not (folder / TABLE).is_file():
        merge = (
            f"; or make captions of the answers that arrived: `nextreid caption merge {folder} --data ...`"
        )
        raise InputError(
            f"{folder} was interrupted, or no model answered: it has {RUN} and no {TABLE}",
            do="run the same `nextreid caption generate` again, which goes on"
            + (merge if (folder / ANSWERS).is_file() else ""),
        )


def answers_of(folder: str | Path, run: Mapping[str, Any]) -> Path:
    """Return the answer log of a set.

    Args:
        folder: the caption set.
        run: what its run.yaml says.

    Raises:
        InputError: it has none; by which verb it was made, and of what, is said.
    """
    path = Path(folder) / ANSWERS
    if path.is_file():
        return path
    note = run.get("rewritten") or {}
    sources = ", ".join(map(str, run.get("merged", ())))
    if note:
        made, do = "by `caption rewrite`", f"name the set that was rewritten: {note.get('source', sources)}"
    elif run.get("method") == "import":
        made, do = f"by `caption import` of {run.get('source')}, which asks nobody", "name a generated set"
    elif sources:
        made, do = f"by `caption merge` of {sources}", f"name these: {sources}"
    else:
        made, do = "by `caption generate`, which was stopped before any answer", "run that again"
    raise InputError(f"{folder} has no answers ({ANSWERS}): it was made {made}", do=do)


def difference(held: Schema, given: Schema) -> str | None:
    """Return how the schema of a set is another than the given one, in words; None: it is the same."""
    if held.to_dict() == given.to_dict():
        return None
    if held.kind != given.kind:
        return f"the {held.kind} schema, not the {given.kind} schema"
    if held.version != given.version:
        return f"version {held.version} of the {held.kind} schema, not version {given.version}"
    values = [{a.name: (a.values, dict(a.observable)) for a in one.attributes} for one in (held, given)]
    names = sorted(name for name in {**values[0], **values[1]} if values[0].get(name) != values[1].get(name))
    return f"another {held.kind} schema of the same version: {', '.join(names) or 'its sentences'} differ"


def read_run(folder: str | Path) -> tuple[dict[str, Any], Schema]:
    """Read run.yaml: (its settings, the schema of the set).

    Raises:
        InputError: no such file, or one that is not a caption set's.
    """
    path = Path(folder) / RUN
    if not path.is_file():
        raise InputError(
            f"{folder} is not a caption set: it has no {RUN}",
            allowed=f"a folder with {RUN} and {TABLE}, as `nextreid caption generate` writes it",
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        given = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise InputError(f"{path}: the format is {given!r}", allowed=FORMAT)
    schema = Schema.from_dict(values.get("schema") or {}, source=f"{path}, schema")
    return {key: value for key, value in values.items() if key not in ("format", "schema")}, schema


def write_run(folder: str | Path, schema: Schema, run: Mapping[str, Any]) -> None:
    """Write run.yaml.

    Args:
        folder: the caption set; made if it is not there.
        schema: kept whole, so that the set can be read without the file it came from.
        run: plain values: settings, the data set's name and sha256, models, versions.
    """
    values = {"format": FORMAT, **run, "schema": schema.to_dict()}
    with written_whole(Path(folder) / RUN) as temporary:
        temporary.write_text(
            yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8"
        )


def read_caption_set(folder: str | Path) -> CaptionSet:
    """Read a caption set.

    Raises:
        InputError: no folder of one, one not finished, a damaged file, or slots that are not in its schema.
    """
    folder = Path(folder)
    run, schema = read_run(folder)
    check_finished(folder)
    table = read_table(folder / TABLE)
    groups = {attribute.name: group.name for group in schema.groups for attribute in group.attributes}
    allowed = {attribute.name: frozenset(attribute.values) for attribute in schema.attributes}
    for number, slot in enumerate(table.rows, start=1):
        where = f"{folder / TABLE}, row {number}"
        if groups.get(slot.attribute) != slot.group:
            raise InputError(
                f"{where}: {slot.attribute!r} in the group {slot.group!r}", allowed=f"as in {folder / RUN}"
            )
    for slot in table.slots:
        if slot.value not in allowed[slot.attribute]:
            raise InputError(
                f"{folder / TABLE}, {slot.observation} {slot.modality}: {slot.attribute} is {slot.value!r}",
                allowed=", ".join(schema.attribute(slot.attribute).values),
            )
    return CaptionSet(folder, schema, table, run)


def write_caption_set(
    folder: str | Path,
    table: CaptionTable,
    rows: Sequence[Row],
    schema: Schema,
    *,
    run: Mapping[str, Any],
    modalities: Sequence[str] | None = None,
    root: Path | None = None,
) -> CaptionSet:
    """Write table, texts and run.yaml; answers.jsonl, if there is one, is left alone.

    Args:
        folder: the caption set; made if it is not there.
        table: its slots.
        rows: the observations that were described; each of their images gets an entry in the texts, an
            empty one where nothing is known.
        schema: of the slots.
        run: as for `write_run`.
        modalities: which images were described; None: all.
        root: folder of the data set, to tell images of one name apart (see `items`).
    """
    folder = Path(folder)
    write_table(table, folder / TABLE)
    write_text(folder / TEXT, table, rows, modalities=modalities, root=root)
    write_run(folder, schema, run)
    return CaptionSet(folder, schema, table, dict(run))


def write_text(
    folder: str | Path,
    table: CaptionTable,
    rows: Sequence[Row],
    *,
    modalities: Sequence[str] | None = None,
    root: Path | None = None,
) -> tuple[Path, ...]:
    """Write captions in the published form; files of an earlier writing are replaced.

    Returns:
        The files written: `{split}_{RGB|NI|TI|name}.json`, each a list of item and description.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, entries in published_files(table, rows, modalities=modalities, root=root).items():
        with written_whole(folder / name) as temporary:
            text = json.dumps(entries, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        files.append(folder / name)
    for stale in sorted(set(folder.glob("*.json")) - set(files)):
        stale.unlink()
    return tuple(files)


def published_files(
    table: CaptionTable,
    rows: Sequence[Row],
    *,
    modalities: Sequence[str] | None = None,
    root: Path | None = None,
) -> dict[str, list[dict[str, str]]]:
    """Return the files of the published form: name -> entries, in the rows' order."""
    shown = list(dict.fromkeys(name for row in rows for name in row.paths))
    chosen = [name for name in shown if modalities is None or name in modalities]
    files: dict[str, list[dict[str, str]]] = {}
    for split in dict.fromkeys(row.split for row in rows):
        for modality in chosen:
            part = [row for row in rows if row.split == split and modality in row.paths]
            entries = [
                {"item": item, "description": table.caption(row.observation, modality)}
                for row, item in zip(part, items(part, modality, root=root), strict=True)
            ]
            if entries:
                files[f"{split}_{PUBLISHED_TAG.get(modality, modality)}.json"] = entries
    return files


def items(rows: Sequence[Row], modality: str, *, root: Path | None = None) -> Iterator[str]:
    """Yield how published files name the images of one file.

    It is the image's file name; where several images of the file share it, the path below `root` (the
    published form has no other way to tell them apart).
    """
    counted = Counter(row.paths[modality].name for row in rows)
    for row in rows:
        path = row.paths[modality]
        if counted[path.name] == 1:
            yield path.name
        elif root is not None and path.is_relative_to(root):
            yield path.relative_to(root).as_posix()
        else:
            yield path.as_posix()
