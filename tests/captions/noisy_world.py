"""Observations with a truth and no images: what simulated answers need, and nothing more."""

import csv
from pathlib import Path

import pyarrow
import pyarrow.parquet

from nextreid.attributes.schema import Schema, load_schema
from nextreid.captions.answers import Answer, Question
from nextreid.captions.backends.simulated import SimulatedBackend
from nextreid.captions.parsing import ReplyReader
from nextreid.captions.truth import Truth
from nextreid.data.rows import Row
from nextreid.seeding import numpy_generator

MODALITIES = ("rgb", "nir", "tir")


def noisy_world(kind: str, count: int, *, seed: int = 0) -> tuple[Schema, tuple[Row, ...], Truth]:
    """Return observations of three images, two an identity, with values drawn alike and visible by chance."""
    schema = load_schema(kind)
    values, visible = {}, set()
    rows = []
    for number in range(count):
        name = f"o{number:04d}"
        rng = numpy_generator(seed, "world", kind, number)
        paths = {modality: Path(f"{modality}/{name}.png") for modality in MODALITIES}
        rows.append(Row(number + 2, "manifest.csv", name, paths, identity=f"i{number // 2:04d}", kind=kind))
        for attribute in schema.attributes:
            common = attribute.values[int(rng.integers(len(attribute.values)))]
            for modality in MODALITIES:
                own = attribute.values[int(rng.integers(len(attribute.values)))]
                value = own if attribute.per_image else common
                values[name, modality, attribute.name] = value
                if rng.random() < 0.95 * schema.observability(attribute.name, modality):
                    visible.add((name, modality, attribute.name))
    return schema, tuple(rows), Truth(values, frozenset(visible))


def simulated_answers(
    schema: Schema,
    rows: tuple[Row, ...],
    truth: Truth,
    *,
    model: str = "default",
    scale: float = 1.0,
    seed: int = 0,
) -> list[Answer]:
    """Return what a simulated model says of every image."""
    backend = SimulatedBackend(schema, truth, model=model, scale=scale, seed=seed)
    reader = ReplyReader(schema)
    questions = [Question(row, modality) for row in rows for modality in row.paths]
    return [
        reader.read(reply, observation=q.row.observation, modality=q.modality, model=backend.model)
        for q, reply in zip(questions, backend.ask(questions), strict=True)
    ]


def write_world(folder: Path, rows: tuple[Row, ...], truth: Truth) -> Path:
    """Write the observations as a data set with truth.parquet; its images are not there."""
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["observation", "identity", "kind", "split", *MODALITIES])
        for row in rows:
            images = [f"images/{modality}/{row.observation}.png" for modality in MODALITIES]
            writer.writerow([row.observation, row.identity, row.kind, "test", *images])
    columns = {
        "observation": [key[0] for key in truth.values],
        "modality": [key[1] for key in truth.values],
        "attribute": [key[2] for key in truth.values],
        "value": list(truth.values.values()),
        "visible": [key in truth.visible for key in truth.values],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "truth.parquet")
    return folder
