"""A data set of tiny images, each with bytes of its own, and answers about them."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question
from nextreid.captions.backends.simulated import SimulatedBackend
from nextreid.captions.prompting import askable
from nextreid.captions.truth import COLUMNS, TRUTH, read_truth
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.seeding import numpy_generator

MODALITIES = ("rgb", "nir", "tir")


def small_data(folder: Path, count: int, *, size: tuple[int, int] = (16, 8)) -> Manifest:
    """Write `count` observations of three modalities and return their manifest."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        row = {"observation": f"o{number:04d}", "kind": "person", "split": "train" if number % 2 else "test"}
        for modality in MODALITIES:
            row[modality] = f"images/{modality}_{number:04d}.png"
            pixels = numpy_generator(0, number, modality).integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / row[modality])
        rows.append(row)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return load_manifest(folder)


def drawn_answer(schema: Schema, observation: str, modality: str) -> dict[str, dict[str, object]]:
    """Return an answer drawn by observation and modality: values, some unknown, confidences."""
    rng = numpy_generator(1, observation, modality)
    answer: dict[str, dict[str, object]] = {}
    for attribute in askable(schema, modality):
        values = [*attribute.values, "unknown"]
        answer[attribute.name] = {
            "value": values[rng.integers(len(values))],
            "confidence": round(float(rng.uniform(0.3, 1.0)), 2),
        }
    return answer


def drawn_truth(manifest: Manifest, schema: Schema) -> Path:
    """Write a truth: a value of each attribute, seen in most of the images that can show it."""
    entries: list[tuple[str, str, str, str, bool]] = []
    for row in manifest.rows:
        rng = numpy_generator(2, row.observation)
        for attribute in schema.attributes:
            value = attribute.values[rng.integers(len(attribute.values))]
            for modality in row.paths:
                seen = schema.observable(attribute.name, modality) and rng.random() < 0.9
                entries.append((row.observation, modality, attribute.name, value, bool(seen)))
    columns = dict(zip(COLUMNS, zip(*entries, strict=True), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), manifest.root / TRUTH)
    return manifest.root / TRUTH


def simulated_answers(manifest: Manifest, schema: Schema, path: Path, models: Sequence[str]) -> Path:
    """Write what the test server replies to each image: the answers of simulated models, by their names."""
    truth = read_truth(manifest, schema)
    answers: dict[str, dict[str, str]] = {}
    for model in models:
        backend = SimulatedBackend(schema, truth, model=model)
        for row in manifest.rows:
            for modality, image in row.paths.items():
                (reply,) = backend.ask([Question(row, modality)])
                answers.setdefault(hashlib.sha256(image.read_bytes()).hexdigest(), {})[model] = reply.raw
    path.write_text(json.dumps(answers))
    return path


def answers_file(manifest: Manifest, schema: Schema, path: Path) -> Path:
    """Write what the test server replies to each image: {sha256 of its bytes: {"*": answer}}."""
    answers = {}
    for row in manifest.rows:
        for modality, image in row.paths.items():
            digest = hashlib.sha256(image.read_bytes()).hexdigest()
            answers[digest] = {"*": json.dumps(drawn_answer(schema, row.observation, modality))}
    path.write_text(json.dumps(answers))
    return path
