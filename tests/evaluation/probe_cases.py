"""A toy world for the probe: its own schema, masks, and readers that know everything or nothing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from nextreid.attributes.prompts import value_prompts
from nextreid.attributes.schema import Schema
from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.reader import ImageTokens
from nextreid.evaluation.probe.data import ProbeData
from nextreid.evaluation.probe.truth import read_truth

GRID = (4, 2)
SIZE = (64, 32)
MODALITIES = ("rgb", "tir")


def _group(name, attribute, values, sentence, observable=None, identity=True):
    return {
        "name": name,
        "identity": identity,
        "generic": f"The {name} of a boat.",
        "attributes": [
            {"name": attribute, "values": list(values), "observable": observable or {"rgb": 1.0, "tir": 1.0}}
        ],
        "sentences": [sentence, f"Look: {sentence}"],
    }


def boats() -> Schema:
    """Three parts in three groups of one attribute, and one attribute that no part shows."""
    return Schema.from_dict(
        {
            "kind": "boat",
            "version": 1,
            "subject": {"otherwise": "the boat"},
            "groups": [
                _group("hull", "hull", ("red", "green", "blue"), "The hull is {hull}"),
                _group("mast", "mast", ("tall", "short"), "A {mast} mast stands"),
                _group("flag", "flag", ("striped", "plain", "spotted"), "The flag is {flag}", {"rgb": 1.0}),
                _group("sky", "sky", ("bright", "dark"), "The sky is {sky}", identity=False),
            ],
            "reading": [],
        }
    )


PART = {"hull": 1, "mast": 2, "flag": 3}
PLACE = {"hull": 6, "mast": 3, "flag": 0}
"""Patch (row by row, of 4 x 2) that each part fills in even observations; odd ones are mirrored."""


def patch_of(part: str, number: int) -> int:
    """The patch that a part fills in observation `number`."""
    return PLACE[part] ^ (number % 2)


def write_boats(root: Path, count: int = 48, *, train: int = 0) -> Manifest:
    """Write truth and masks of a world; returns its manifest. The images themselves are not there."""
    schema, rng = boats(), np.random.default_rng(5)
    facts, rows = [], []
    for number in range(count):
        name = f"b{number:03d}"
        values = {a.name: a.values[int(rng.integers(len(a.values)))] for a in schema.attributes}
        for modality in MODALITIES:
            mask = np.zeros(SIZE, np.uint8)
            for part, code in PART.items():
                r, c = divmod(patch_of(part, number), GRID[1])
                mask[16 * r : 16 * r + 16, 16 * c : 16 * c + 16] = code
            path = root / "parts" / modality / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
            for attribute, value in values.items():
                hidden = attribute == "mast" and number % 7 == 0
                visible = schema.observable(attribute, modality) and not hidden
                facts.append((name, modality, attribute, value, visible))
        paths = {modality: root / "images" / modality / f"{name}.png" for modality in MODALITIES}
        split = "train" if number < train else "test"
        rows.append(Row(index=number + 2, source="m.csv", observation=name, paths=paths, split=split))
    columns = ["observation", "modality", "attribute", "value", "visible"]
    pd.DataFrame(facts, columns=columns).to_parquet(root / "truth.parquet", index=False)
    evidence = {part: [part] for part in PART}
    numbers = {"0": "background", **{str(code): part for part, code in PART.items()}, "255": "other object"}
    write_parts(root, {"kind": "boat", "values": numbers, "evidence": evidence})
    return Manifest("boats", root / "m.csv", root, MODALITIES, tuple(rows), "0" * 64)


def write_parts(root: Path, content: dict) -> None:
    (root / "parts.json").write_text(json.dumps(content))


def boat_data(root: Path, count: int = 48, train: int = 0) -> ProbeData:
    manifest, schema = write_boats(root, count, train=train), boats()
    return ProbeData(
        manifest.split("test").rows, schema, manifest.split("train").rows, read_truth(manifest, schema)
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)


class Knowing:
    """Reads the truth: a sentence is the sum of what it says, an image of what it shows."""

    size, grid = SIZE, GRID

    def __init__(self, data: ProbeData, batch: int = 5) -> None:
        self.data, self.batch = data, batch
        pairs = [(a.name, v) for a in data.schema.attributes for v in a.values]
        self.axis = {pair: i for i, pair in enumerate(pairs)}
        self.said = {text: i for pair, i in self.axis.items() for text in value_prompts(data.schema, *pair)}

    def stream(self, observations, modality, *, places=None, progress=None):
        for start in range(0, len(observations), self.batch):
            part = observations[start : start + self.batch]
            rows = [next(r for r in self.data.rows if r.observation == o.id) for o in part]
            codes = self.data.truth.shown(rows, modality)
            classes = np.zeros((len(part), len(self.axis)))
            patches = np.zeros((len(part), GRID[0] * GRID[1], len(self.axis)))
            for i, row in enumerate(rows):
                for attribute, code in zip(self.data.schema.attributes, codes[i], strict=True):
                    if code >= 0:
                        axis = self.axis[attribute.name, attribute.values[code]]
                        classes[i, axis] = 1
                        if attribute.name in PART:
                            patches[i, patch_of(attribute.name, int(row.observation[1:])), axis] = 1
            yield ImageTokens(_unit(classes), _unit(patches))

    def sentences(self, sentences):
        vectors = np.zeros((len(sentences), len(self.axis)))
        for i, text in enumerate(sentences):
            for piece in text.rstrip(".").split(". "):
                vectors[i, self.said[f"{piece}."]] = 1
        return _unit(vectors)


class Blank(Knowing):
    """Sees the same in every image, patch and sentence."""

    def stream(self, observations, modality, *, places=None, progress=None):
        for tokens in super().stream(observations, modality):
            yield ImageTokens(_unit(np.ones_like(tokens.classes)), _unit(np.ones_like(tokens.patches)))

    def sentences(self, sentences):
        return _unit(np.ones((len(sentences), len(self.axis))))
