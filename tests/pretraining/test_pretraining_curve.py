"""The benchmark that repeats the beginning of a pretraining: on a small one, and its comparison by hand."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from pretrain_cases import pretrain

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pretraining_curve.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("pretraining_curve_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory, worlds):
    run = tmp_path_factory.mktemp("made") / "run"
    words = ("--train.steps", "20", "--leave-out", "nir", "--class-token-only", "--optim.rate", "0.003")
    assert pretrain(run, worlds, *words) == 0
    return run / "model"


def repeated(script, monkeypatch, model, worlds, folder):
    words = ["--model", str(model), "--worlds", str(worlds), "--results", str(folder / "result.json")]
    monkeypatch.setattr(sys, "argv", ["pretraining_curve.py", *words])
    script.main()
    return json.loads((folder / "result.json").read_text())


def test_a_tenth_of_a_run_is_repeated_to_the_digit(script, monkeypatch, made, worlds, tmp_path):
    """Every recorded option arrives: another one would give another curve."""
    report = repeated(script, monkeypatch, made, worlds, tmp_path)
    assert (report["steps"], report["of"]) == (2, 20)
    assert report["recorded"] == report["repeated"]
    assert [row[0] for row in report["recorded"]] == [1, 2]
    assert report["equal"]
    assert report["largest_relative_difference"] == 0.0
    assert report["seconds"] > 0
    assert list(tmp_path.iterdir()) == [tmp_path / "result.json"]


def test_another_curve_is_seen(script, monkeypatch, made, worlds, tmp_path):
    other = Path(shutil.copytree(made, tmp_path / "other"))
    notes = json.loads((other / "pretraining.json").read_text())
    told = notes["loss"][1][1]
    notes["loss"][1][1] = round(told * 0.8, 5)
    (other / "pretraining.json").write_text(json.dumps(notes))
    report = repeated(script, monkeypatch, other, worlds, tmp_path)
    assert not report["equal"]
    assert report["largest_relative_difference"] == pytest.approx(0.25, rel=1e-3)


def test_the_comparison_by_hand(script):
    old = [[80, 2.0, 1.5, 0.5], [160, 1.0, 1.0, 0.0]]
    assert script.compared(old, [list(row) for row in old]) == (0.0, True)
    new = [[80, 2.1, 1.5, 0.4], [160, 1.0, 1.0, 0.01]]
    largest, equal = script.compared(old, new)
    assert (largest, equal) == (pytest.approx(0.2), False)
    with pytest.raises(SystemExit, match="Step 80 is recorded, step 81"):
        script.compared(old[:1], [[81, 2.0, 1.5, 0.5]])
