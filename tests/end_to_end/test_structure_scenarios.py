"""`evaluate --scenario fine-grained` and `consistency`, from files to files, with figures found by hand."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nextreid.attributes.schema import load_schema
from nextreid.cli.main import main
from nextreid.embedding.embedder import NextReID
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained

SIZE = (64, 32)
OBSERVATIONS = {"a1": "1", "a2": "2", "b1": "1", "b2": "2"}
"""Observation -> camera; the first letter is the identity. Both are in look-alike group X."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Both identities keep their one picture in every observation and modality.

    The masks say: head above, legs below; but in b2 legs above, head below. Hair tells a from b, and a2
    does not show it.
    """
    root = tmp_path_factory.mktemp("alike")
    rng = np.random.default_rng(0)
    pictures = {who: rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for who in "ab"}
    upright = np.repeat([1, 2], SIZE[0] // 2).astype(np.uint8)[:, None].repeat(SIZE[1], axis=1)
    rows, facts = [], []
    for name, camera in OBSERVATIONS.items():
        row = {"observation": name, "identity": name[0], "camera": camera, "lookalike": "X", "split": "test"}
        for modality in ("rgb", "tir"):
            for folder, pixels in (
                ("images", pictures[name[0]]),
                ("parts", upright[::-1] if name == "b2" else upright),
            ):
                path = root / folder / modality / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
            row[modality] = f"images/{modality}/{name}.png"
            facts.append((name, modality, "hair", {"a": "long", "b": "short"}[name[0]], name != "a2"))
        rows.append(row)
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = ["observation", "modality", "attribute", "value", "visible"]
    pd.DataFrame(facts, columns=columns).to_parquet(root / "truth.parquet", index=False)
    values = {"0": "background", "1": "head", "2": "legs", "255": "other object"}
    (root / "parts.json").write_text(json.dumps({"kind": "person", "values": values, "evidence": {}}))
    return root


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    architecture = Architecture(
        modalities=("rgb", "tir"), schema=load_schema("person").to_dict(), size=SIZE, name="next"
    )
    model = build_model(architecture, load_clip("builtin:tiny", corpus=["a man in a red coat"]))
    folder = tmp_path_factory.mktemp("untrained") / "model"
    return NextReID(Pretrained(model, architecture, "scratch", {}), device="cpu").save_pretrained(folder)


def evaluate(data, out, *words):
    line = ["evaluate", "--data", str(data), "--protocol", "cross-camera", "--bootstrap", "20", "--quiet"]
    return main([*line, "--device", "cpu", "--out", str(out), *map(str, words)])


def test_both_scenarios_of_a_model(data, untrained, tmp_path):
    """Equal pictures have equal tokens, so every patch finds its own cell.

    Of a that is the right part in all four pairs of images, of b in none: accuracy and position are 1/2,
    and nothing lies beyond position. The maps of rgb and tir are equal, so they agree.
    """
    out = tmp_path / "results.json"
    scenarios = ("--scenario", "fine-grained", "--scenario", "consistency")
    assert evaluate(data, out, "--model", untrained, *scenarios) == 0
    found = json.loads(out.read_text())["scenarios"]
    matched = found["consistency"]["correspondence"]
    assert matched["pairs"] == 8
    assert matched["unanswered"] == 0
    assert matched["accuracy"] == matched["position"] == 0.5
    assert matched["corrected"] == 0
    assert 0.3 < matched["random"] < 0.7
    routing = found["consistency"]["routing"]
    assert routing["agreement"] == pytest.approx(1, abs=1e-6)
    assert routing["controls"]["position"]["agreement"] == 1
    # a1 has one match, a2, among a2, b1, b2; but a2 shows no hair
    fine = found["fine-grained"]
    assert fine["queries"] == {
        "total": 4,
        "counted": 2,
        "without_match": 0,
        "without_lookalike": 0,
        "not_visible": 2,
    }
    assert (fine["rank1"], fine["chance"]) == (1, pytest.approx(1 / 3))
    assert fine["attributes"][0]["attribute"] == "hair"
    text = (tmp_path / "results.md").read_text()
    assert "| position alone | 50.0 |" in text
    assert "| hair | 2 | 100.0 |" in text


def test_fine_grained_of_embeddings_and_what_they_cannot_tell(data, tmp_path):
    """b1 at 0 degrees: b2 at 30 comes after a1 at 10: wrong. b2: a1 is 20 away, b1 30, a2 60: wrong."""
    angles = np.radians([10, 90, 0, 30])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    np.savez(tmp_path / "e.npz", observation=np.array(list(OBSERVATIONS)), embedding=vectors)
    out = tmp_path / "results.json"
    assert evaluate(data, out, "--embeddings", tmp_path / "e.npz", "--scenario", "fine-grained") == 0
    fine = json.loads(out.read_text())["scenarios"]["fine-grained"]
    assert fine["rank1"] == 0
    assert fine["corrected"] == pytest.approx(-0.5)
    assert evaluate(data, out, "--embeddings", tmp_path / "e.npz", "--scenario", "consistency") == 2


def test_data_without_groups_and_masks_are_noted_by_name(untrained, data, tmp_path, capsys):
    rows = [
        row | {m: str(data / row[m]) for m in ("rgb", "tir")} | {"lookalike": ""}
        for row in csv.DictReader((data / "manifest.csv").open())
    ]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "results.json"
    assert evaluate(tmp_path, out, "--model", untrained, "--scenario", "all") == 0
    left_out = json.loads(out.read_text())["scenarios_left_out"]
    assert "lookalike" in left_out["fine-grained"]
    assert "part masks" in left_out["consistency"]
    assert evaluate(tmp_path, out, "--model", untrained, "--scenario", "fine-grained") == 2
    assert "option --scenario fine-grained" in capsys.readouterr().err
