"""What a synthetic world's truth says of its images: values that each picture shows, and where."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextreid.attributes.schema import Schema
from nextreid.data.images import read_image
from nextreid.data.manifest import Manifest, Row
from nextreid.errors import InputError

TRUTH, PARTS = "truth.parquet", "parts.json"
COLUMNS = ("observation", "modality", "attribute", "value", "visible")
HIDDEN = -1
"""Code of an attribute that a picture does not show, or that the object does not have."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Which pixels show an attribute.

    Attributes:
        folder: of the masks, `<modality>/<observation>.png`.
        numbers: part name -> mask value.
        parts: attribute, or `attribute=value` which overrides it -> part names.
    """

    folder: Path
    numbers: Mapping[str, int]
    parts: Mapping[str, tuple[str, ...]]

    def of(self, attribute: str, value: str) -> tuple[int, ...]:
        """Return the mask values of the parts that a value names; none for light and quality."""
        names = self.parts.get(f"{attribute}={value}", self.parts.get(attribute, ()))
        return tuple(self.numbers[name] for name in names)

    def mask(self, row: Row, modality: str) -> NDArray[np.uint8]:
        """Return an image's part mask, (H,W), cut to the row's box as the image is.

        Raises:
            ImageError: no such mask, or one that cannot be read.
        """
        path = self.folder / modality / f"{row.observation}.png"
        pixels: NDArray[np.uint8] = read_image(path, box=row.boxes.get(modality), where=row.where(modality))
        return pixels[..., 0]


@dataclass(frozen=True, eq=False)
class WorldTruth:
    """The truth of O observations in A attributes (the schema's, in its order).

    Attributes:
        schema: the attribute schema.
        place: observation -> its row in the arrays.
        codes: modality -> (O,A) int16, index of the value where the picture shows it, else `HIDDEN`.
        daylight: (O,) bool, by day and not in dim light; None where the truth does not tell.
        evidence: where attributes are seen, or None.
    """

    schema: Schema
    place: Mapping[str, int]
    codes: Mapping[str, NDArray[np.int16]]
    daylight: NDArray[np.bool_] | None
    evidence: Evidence | None

    def shown(self, rows: Sequence[Row], modality: str) -> NDArray[np.int16]:
        """Return (n,A) codes of the rows' images; all `HIDDEN` where the truth does not list one."""
        codes = np.full((len(rows), len(self.schema.attributes)), HIDDEN, np.int16)
        if modality in self.codes:
            for number, row in enumerate(rows):
                if row.observation in self.place:
                    codes[number] = self.codes[modality][self.place[row.observation]]
        return codes

    def lit(self, rows: Sequence[Row]) -> NDArray[np.bool_] | None:
        """Return (n,) bool, which rows were seen in daylight, or None where the truth does not tell."""
        if self.daylight is None:
            return None
        places = [self.place.get(row.observation) for row in rows]
        return np.array([place is not None and bool(self.daylight[place]) for place in places], dtype=bool)


def read_truth(manifest: Manifest, schema: Schema) -> WorldTruth | None:
    """Read a world's truth; None for a data set without.

    Args:
        manifest: the data set; `truth.parquet` and `parts.json` lie at its root.
        schema: whose attributes and values the truth is told in.

    Raises:
        InputError: a damaged file, a truth of another kind of object, or one of other observations.
    """
    path = manifest.root / TRUTH
    if not path.is_file():
        return None
    table = truth_table(path)
    attributes = {attribute.name: a for a, attribute in enumerate(schema.attributes)}
    values = {
        (attribute.name, value): code
        for attribute in schema.attributes
        for code, value in enumerate(attribute.values)
    }
    pairs = list(zip(table["attribute"], table["value"], strict=True))
    strange = next((at for at, pair in enumerate(pairs) if pair not in values), None)
    if strange is not None:
        name, value = pairs[strange]
        raise InputError(
            f"{path}, row {strange + 1}: {name} = {value!r} is not in the {schema.kind} schema",
            allowed=", ".join(schema.attribute(name).values) if name in attributes else ", ".join(attributes),
            do="mend the value, or give the schema of the kind that the data show",
        )
    place = {name: number for number, name in enumerate(dict.fromkeys(table["observation"]))}
    known = sum(row.observation in place for row in manifest.rows)
    if not known:
        raise InputError(
            f"{path} lists none of the observations of {manifest.source}",
            allowed="the truth of the same world",
        )
    observation = table["observation"].map(place).to_numpy()
    column = table["attribute"].map(attributes).to_numpy()
    code = np.array([values[pair] for pair in pairs], np.int16)
    visible = table["visible"].to_numpy(dtype=bool)
    codes = {}
    for modality in sorted(set(table["modality"])):
        here = visible & (table["modality"] == modality).to_numpy()
        codes[modality] = np.full((len(place), len(attributes)), HIDDEN, np.int16)
        codes[modality][observation[here], column[here]] = code[here]
    return WorldTruth(
        schema=schema,
        place=place,
        codes=codes,
        daylight=_daylight(table, observation, len(place)),
        evidence=_evidence(manifest.root, schema),
    )


def truth_table(path: Path) -> pd.DataFrame:
    """Read a truth.parquet: one row per observation, modality and attribute, columns `COLUMNS`.

    Raises:
        InputError: a file that cannot be read, lacks a column, is empty, or says visible in other words.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"{path} cannot be read: {error}", do="write the world again") from error
    missing = [name for name in COLUMNS if name not in table]
    if missing or not len(table):
        raise InputError(
            f"{path} " + (f"has no column {', '.join(missing)}" if missing else "is empty"),
            allowed=f"rows of {', '.join(COLUMNS)}",
        )
    if table["visible"].dtype != bool:  # strings would all count as true
        raise InputError(
            f"{path}: the column visible holds {table['visible'].dtype}",
            allowed="booleans, true or false, none missing",
            do="convert it; a table that went through CSV has the words instead",
        )
    return table


def _daylight(table: pd.DataFrame, observation: NDArray[np.int64], count: int) -> NDArray[np.bool_] | None:
    """Return (O,) bool: daytime, and not dim (dusk). The facts of any modality will do."""
    time, light = (table["attribute"] == name for name in ("time_of_day", "illumination"))
    if not time.any() or not light.any():
        return None
    day, dim = np.zeros(count, bool), np.zeros(count, bool)
    day[observation[(time & (table["value"] == "daytime")).to_numpy()]] = True
    dim[observation[(light & (table["value"] == "dim")).to_numpy()]] = True
    return day & ~dim


def _evidence(root: Path, schema: Schema) -> Evidence | None:
    path = root / PARTS
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        numbers = {str(name): int(value) for value, name in told["values"].items()}
        parts = {str(key): tuple(map(str, names)) for key, names in told.get("evidence", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}", do="write the world again") from error
    if told.get("kind", schema.kind) != schema.kind:
        raise InputError(f"{path} is about a {told['kind']}", allowed=f"a {schema.kind}, as the data set is")
    unknown = sorted({name for names in parts.values() for name in names} - set(numbers))
    if unknown:
        raise InputError(f"{path}: evidence names {', '.join(unknown)}", allowed=", ".join(sorted(numbers)))
    return Evidence(root / "parts", numbers, parts) if parts else None
