"""The benchmark on real crops: its measures by hand and by counting, and a run on made-up crops."""

import csv
import importlib.util
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "real_crops.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("real_crops_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ranks_by_hand(script) -> None:
    others = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, 0.6]])
    matches = np.array([False, True, False, True])
    assert script.ranks_of(np.array([1.0, 0.0]), others, matches) == [2, 3]
    assert script.ranks_of(np.array([0.0, 1.0]), others, matches) == [2, 3]
    assert script.measures([2, 3]) == {
        "mean_rank": 2.5,
        "first_rank": 2.0,
        "ap": pytest.approx((1 / 2 + 2 / 3) / 2),
    }


@pytest.mark.parametrize(("matches", "others"), [(1, 4), (2, 5), (3, 6), (4, 4)])
def test_chance_by_counting_every_placement(script, matches, others) -> None:
    placed = [script.measures(list(ranks)) for ranks in combinations(range(1, others + 1), matches)]
    for name, expected in script.chance(matches, others).items():
        assert expected == pytest.approx(np.mean([p[name] for p in placed])), name


def test_a_run_on_made_up_crops(script, tmp_path, monkeypatch, capsys) -> None:
    rows = []
    for number in range(5):
        role = ("query", "match", "other", "match", "other")[number]
        row = {"observation": f"v{number}", "kind": "vehicle", "group": "g", "role": role}
        row["identity"] = f"other{number}" if role == "other" else "one"
        for name in ("rgb", "tir"):
            row[name] = f"{name}{number}.png"
            pixels = np.random.default_rng(number).integers(0, 256, (20, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / row[name])
        rows.append(row)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out.json"
    words = ["x", "--data", str(tmp_path), "--model", "builtin:tiny", "--device", "cpu", "--out", str(out)]
    monkeypatch.setattr("sys.argv", words)
    script.main()
    report = json.loads(out.read_text())
    assert "no claim of accuracy" in report["what"]
    assert report["what"].startswith("0 + 5 observations")
    entries = report["models"]["builtin:tiny"]["vehicle"]
    assert set(entries) == {"rgb+tir", "rgb", "tir"}
    for scopes in entries.values():
        assert [entry["among"] for entry in scopes] == ["group", "kind"]
        assert scopes[0]["ranks"] == scopes[1]["ranks"]  # one group is all there is
        assert len(scopes[0]["ranks"]) == scopes[0]["matches"] == 2
        assert scopes[0]["others"] == 4
        assert scopes[0]["random_weights"]["seeds"] == script.RANDOM_SEEDS
    monkeypatch.setattr("sys.argv", ["x", "--data", str(tmp_path / "nowhere")])
    script.main()
    assert "skipped" in capsys.readouterr().out
