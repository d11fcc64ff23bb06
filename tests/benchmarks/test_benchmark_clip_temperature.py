"""The fit of temperatures: its measures by hand, and the whole command on a tiny world."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from nextreid.attributes import load_schema
from nextreid.captions.backends.temperature import LabelledCosines, read_temperatures
from nextreid.captions.truth import Truth
from nextreid.data.rows import Row

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "clip_temperature.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("clip_temperature_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_what_an_image_shows_is_a_label(script) -> None:
    schema = load_schema("person")
    rows = [Row(n, "m.csv", f"o{n}", {"rgb": Path("a.png")}) for n in range(3)]
    shown, hidden = ("o0", "rgb", "gender"), ("o1", "rgb", "gender")
    truth = Truth({shown: "female", hidden: "male", ("o2", "nir", "gender"): "male"}, frozenset({shown}))
    vectors = np.eye(3, dtype=np.float32)
    prompts = {a.name: np.ones((len(a.values), 3), np.float32) for a in schema.attributes}
    prompts["gender"] = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    found = script.labelled(schema, vectors, rows, truth, "rgb", prompts)
    assert list(found) == ["gender"]
    assert found["gender"].cosines.tolist() == [[1.0, 0.0]]
    assert found["gender"].codes.tolist() == [1]


def test_measures_by_hand(script) -> None:
    # at temperature 1: 0.75 for the first value of the first image, which is right; 0.5 twice, once wrong
    cosines = np.array([[math.log(3), 0.0], [0.0, 0.0], [0.0, 0.0]], np.float32)
    found = script.measured({"a": LabelledCosines(cosines, np.array([0, 0, 1]))}, 1.0)
    assert found["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["balanced"] == 0.5  # both of the first value, none of the second
    assert found["confidence"] == pytest.approx((0.75 + 0.5 + 0.5) / 3, abs=1e-4)
    assert found["ece"] == pytest.approx(0.25 / 3, abs=1e-4)  # 0.75 said of what is certain, 0.5 of a half
    assert found["nats"] == pytest.approx((-math.log(0.75) - 2 * math.log(0.5)) / 3, abs=1e-4)


@pytest.mark.slow
def test_the_command_writes_what_the_backend_reads(script, tmp_path, monkeypatch, capsys) -> None:
    out, results = tmp_path / "t.yaml", tmp_path / "t.json"
    words = ["--model", "builtin:tiny", "--kinds", "person", "--identities", "8", "--cameras", "2"]
    words += ["--per-camera", "1", "--device", "cpu", "--out", str(out), "--results", str(results)]
    monkeypatch.setattr(sys, "argv", ["clip_temperature.py", *words])
    script.main()
    (entry,) = read_temperatures(out)
    document = json.loads(results.read_text())
    assert (entry.model, entry.kind, set(entry.temperature)) == (
        "builtin:tiny",
        "person",
        {"rgb", "nir", "tir"},
    )
    assert document["weights_sha256"] == entry.weights_sha256
    for modality, found in document["kinds"]["person"]["measured"].items():
        assert found["fitted"]["temperature"] == pytest.approx(entry.temperature[modality])
        assert found["fitted"]["claims"] == found["clip"]["claims"] > 0
        assert found["fitted"]["accuracy"] == found["clip"]["accuracy"]  # a temperature changes no answer
    assert "person rgb: temperature" in capsys.readouterr().out
