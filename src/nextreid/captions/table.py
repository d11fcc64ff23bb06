"""captions.parquet: one row a slot, written and read back exactly.

Rows stand in the order of the manifest, then of its modalities, then of the schema. `source_modality` and
`source_model` are lists of names; everything else is text, and `confidence` a number or empty.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole
from nextreid.captions.slots import COLUMNS, UNFILLED, Slot
from nextreid.errors import InputError

LISTS = ("source_modality", "source_model")
"""Columns that hold several names."""

FORMAT = "nextreid.captions/1"
"""Kept in the file's own metadata, under `format`."""


@dataclass(frozen=True)
class CaptionTable:
    """The slots of a caption set.

    Attributes:
        rows: every slot, in the order of the file: filled ones, and those that say "unknown".
    """

    rows: tuple[Slot, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The filled slots."""
        return tuple(slot for slot in self.rows if slot.value != UNFILLED)

    @cached_property
    def unfilled(self) -> tuple[Slot, ...]:
        """The slots that were asked for and say "unknown" (captions without confidence only)."""
        return tuple(slot for slot in self.rows if slot.value == UNFILLED)

    @cached_property
    def of(self) -> Mapping[tuple[str, str], tuple[Slot, ...]]:
        """(observation, modality) -> its rows, in order; captions that say nothing are not there."""
        grouped: dict[tuple[str, str], list[Slot]] = {}
        for slot in self.rows:
            grouped.setdefault((slot.observation, slot.modality), []).append(slot)
        return {key: tuple(rows) for key, rows in grouped.items()}

    def values(self, observation: str, modality: str) -> dict[str, str]:
        """Return attribute -> value of one caption; empty where it says nothing."""
        rows = self.of.get((observation, modality), ())
        return {slot.attribute: slot.value for slot in rows if slot.value != UNFILLED}

    def sentences(self, observation: str, modality: str) -> tuple[str, ...]:
        """Return the sentences of one caption, one a group, in order."""
        rows = self.of.get((observation, modality), ())
        return tuple({slot.group: slot.sentence for slot in rows}.values())

    def caption(self, observation: str, modality: str) -> str:
        """Return one caption's text; "" where it says nothing."""
        return " ".join(self.sentences(observation, modality))


def write_table(table: CaptionTable, path: str | Path) -> None:
    """Write captions.parquet; it appears whole or not at all.

    Raises:
        InputError: a slot that stands twice, a confidence outside 0..1, or two sentences of one group.
    """
    import pyarrow
    import pyarrow.parquet

    _check(table.rows, str(path))
    text = pyarrow.string()
    kinds = {"confidence": pyarrow.float64()} | {name: pyarrow.list_(text) for name in LISTS}
    form = pyarrow.schema([(name, kinds.get(name, text)) for name in COLUMNS], metadata={"format": FORMAT})
    columns = {name: [getattr(slot, name) for slot in table.rows] for name in COLUMNS}
    columns |= {name: [list(names) for names in columns[name]] for name in LISTS}
    with written_whole(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns, schema=form), temporary)


def read_table(path: str | Path) -> CaptionTable:
    """Read captions.parquet, as `write_table` or another program wrote it.

    Raises:
        InputError: no such file, one that is not Parquet, missing columns, or a row that cannot be:
            naming file and row.
    """
    import pyarrow
    import pyarrow.parquet

    path = Path(path)
    try:
        records = pyarrow.parquet.read_table(path).to_pylist()
    except FileNotFoundError as error:
        raise InputError(f"There is no caption table {path}", do="name a folder with captions") from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", do="merge the captions again") from error
    missing = [name for name in COLUMNS if records and name not in records[0]]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}", allowed=", ".join(COLUMNS))
    rows = tuple(_slot(record, f"{path}, row {number}") for number, record in enumerate(records, start=1))
    _check(rows, str(path))
    return CaptionTable(rows)


def _slot(record: Mapping[str, Any], where: str) -> Slot:
    for name in COLUMNS:
        value = record[name]
        if name == "confidence":
            fits = value is None or (isinstance(value, float | int) and not isinstance(value, bool))
            allowed = "a number, or nothing"
        elif name in LISTS:
            fits = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
            allowed = "a list of names"
        else:
            fits, allowed = isinstance(value, str), "text"
        if not fits:
            raise InputError(f"{where}, column {name}: {str(value)[:80]!r}", allowed=allowed)
    confidence = record["confidence"]
    return Slot(
        observation=record["observation"],
        modality=record["modality"],
        group=record["group"],
        attribute=record["attribute"],
        value=record["value"],
        confidence=None if confidence is None else float(confidence),
        source_modality=tuple(record["source_modality"]),
        source_model=tuple(record["source_model"]),
        sentence=record["sentence"],
    )


def _check(rows: Iterable[Slot], source: str) -> None:
    seen: set[tuple[str, str, str]] = set()
    said: dict[tuple[str, str, str], str] = {}
    for number, slot in enumerate(rows, start=1):
        where = f"{source}, row {number}"
        key = (slot.observation, slot.modality, slot.attribute)
        if key in seen:
            raise InputError(f"{where}: a second value for {' '.join(key)}", allowed="one row a slot")
        seen.add(key)
        if slot.confidence is not None and not 0.0 <= slot.confidence <= 1.0:
            raise InputError(f"{where}: the confidence {slot.confidence}", allowed="0..1, or nothing")
        if slot.value != UNFILLED and not slot.sentence.strip():
            raise InputError(f"{where}: {slot.value!r} without a sentence", allowed="a sentence that says it")
        group = (slot.observation, slot.modality, slot.group)
        if said.setdefault(group, slot.sentence) != slot.sentence:
            raise InputError(f"{where}: a second sentence for {' '.join(group)}", allowed="one a group")
