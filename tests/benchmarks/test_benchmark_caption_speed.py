"""The benchmark of asking: a small run counts right. How fast it is, is recorded, not asserted."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "caption_speed.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("caption_speed_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(script, out: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("sys.argv", ["x", *more, "--out", str(out)])
    script.main()
    return json.loads(out.read_text())


def test_a_small_run(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    report = measured(script, tmp_path / "a.json", monkeypatch, "--observations", "4", "--repeats", "2")
    assert [run["images"] for run in report["runs"]] == [12, 12]
    assert report["runs"][0]["slots"] == report["runs"][1]["slots"] > 0
    assert report["images_per_second"] > 0
    assert json.loads(capsys.readouterr().out) == report
