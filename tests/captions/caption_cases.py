"""Small caption sets and published files for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nextreid.attributes import Grammar, Schema
from nextreid.captions.slots import Slot
from nextreid.captions.table import CaptionTable

Values = Mapping[str, str]


def slots_of(
    schema: Schema,
    captions: Mapping[tuple[str, str], Values],
    *,
    confidence: float | None = 0.9,
    model: str = "m",
) -> CaptionTable:
    """Return a table: (observation, modality) -> attribute -> value, with the grammar's sentences."""
    grammar = Grammar(schema)
    rows = []
    for (observation, modality), values in captions.items():
        said = {piece.group: piece.text for piece in grammar.realise(values)}
        for attribute in schema.attributes:
            if attribute.name in values:
                group = schema.group_of(attribute.name).name
                rows.append(
                    Slot(
                        observation,
                        modality,
                        group,
                        attribute.name,
                        values[attribute.name],
                        confidence,
                        (modality,),
                        (model,),
                        said[group],
                    )
                )
    return CaptionTable(tuple(rows))


def write_published(folder: Path, files: Mapping[str, Sequence[tuple[str, str]]]) -> Path:
    """Write files of the published form: name without ending -> (item, description)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in files.items():
        items = [{"item": item, "description": text} for item, text in entries]
        (folder / f"{name}.json").write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")
    return folder
