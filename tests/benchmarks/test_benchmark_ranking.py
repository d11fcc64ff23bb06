"""The benchmarks of ranking and re-ranking: small runs agree, and what is recorded keeps the promises."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
RECORDED = {name: FOLDER / "results" / f"{name}.json" for name in ("ranking", "reranking")}


def run(name: str, out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> dict:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["x", *words, "--out", str(out)])
    module.main()
    return json.loads(out.read_text())


@pytest.mark.slow
def test_a_small_ranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--queries", "60", "--gallery", "900", "--width", "16", "--repeats", "1")
    report = run("ranking", tmp_path / "a.json", monkeypatch, *words)
    assert report["largest_difference_of_a_metric"] < 1e-6
    assert set(report["ways"]) == {"ours", "lean", "field"}


@pytest.mark.slow
def test_a_small_reranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--items", "300", "--dense-items", "200", "--width", "16")
    report = run("reranking", tmp_path / "a.json", monkeypatch, *words)
    assert report["largest_difference"]["distance"] < 1e-5
    assert report["ours"]["items"] == 300


@pytest.mark.skipif(not RECORDED["ranking"].is_file(), reason="not recorded (benchmarks/ranking.py)")
def test_what_is_recorded_of_ranking() -> None:
    report = json.loads(RECORDED["ranking"].read_text())
    assert (report["queries"], report["gallery"], report["width"]) == (3368, 15913, 512)
    assert report["times_faster"]["field"] >= 5
    assert report["ways"]["ours"]["memory"] <= 600
    assert report["largest_difference_of_a_metric"] < 1e-6
    if "large" not in report:
        pytest.skip("recorded without --large")
    assert report["large"]["memory"] < 4096


@pytest.mark.skipif(not RECORDED["reranking"].is_file(), reason="not recorded (benchmarks/reranking.py)")
def test_what_is_recorded_of_re_ranking() -> None:
    report = json.loads(RECORDED["reranking"].read_text())
    assert report["ours"]["items"] == 16_000
    assert report["ours"]["seconds"] <= 15
    assert report["ours"]["memory"] <= 600
    assert report["largest_difference"]["distance"] < 1e-5
