"""Real crops with absent images go through every verb, as a table and without any code."""

import csv
import json
from pathlib import Path

import pytest
from toy_options import BRIEF

from nextreid import load_embeddings
from nextreid.cli.main import main

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "real_samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the folder of real crops is not here")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vehicles to train on, persons to test on, every third thermal and every fourth RGB image absent."""
    out = tmp_path_factory.mktemp("real") / "real.csv"
    with (SAMPLES / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["split"] = "train" if row["kind"] == "vehicle" else "test"
        for name, every in (("tir", 3), ("rgb", 4), ("nir", 99)):
            row[name] = "" if number % every == every - 1 else str(SAMPLES / row[name])
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


def test_every_verb(table: Path, tmp_path: Path, capsys) -> None:
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    train, test = ([row for row in rows if row["split"] == split] for split in ("train", "test"))
    assert main(["data", "check", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    absent = sum(not row[name] for row in rows for name in ("rgb", "nir", "tir"))
    found = [finding for finding in report["findings"] if finding["rule"] == "unpaired-modality"]
    assert len(found) == absent > 10

    run = tmp_path / "run"
    assert main(["train", "--data", str(table), "--out", str(run), *BRIEF, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["observations"] == len(train)

    words = [
        "evaluate",
        "--model",
        str(run / "model"),
        "--data",
        str(table),
        "--out",
        str(tmp_path / "r.json"),
    ]
    assert main([*words, "--protocol", "cross-camera"]) == 2
    shown = capsys.readouterr().err
    assert "camera" in shown
    assert "none" in shown
    assert main([*words, "--protocol", "none", "--scenario", "missing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queries"]["total"] == len(test)

    out = tmp_path / "e.safetensors"
    words = [
        "embed",
        "--model",
        str(run / "model"),
        "--data",
        str(table),
        "--out",
        str(out),
        "--split",
        "all",
    ]
    assert main([*words, "--quiet"]) == 0
    assert load_embeddings(out).observation.tolist() == [row["observation"] for row in rows]
