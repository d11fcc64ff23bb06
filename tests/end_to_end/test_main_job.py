"""The main job, small: make data, check it, train, evaluate, embed; in both layouts, without code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_options import BRIEF

from nextreid import load_embeddings, load_manifest
from nextreid.cli.main import main
from nextreid.config import Config
from nextreid.configfile import read_yaml, resolve


def result(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    """Run a verb with --json and return what it printed."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(params=["manifest", "rgbnt201"])
def data(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue("world" if request.param == "manifest" else "benchmark_world")


def test_check_train_evaluate_embed(data: Path, tmp_path: Path, capsys) -> None:
    checked = result(capsys, "data", "check", str(data))
    counts = {split["split"]: split for split in checked["splits"]}
    assert checked["ok"]
    assert counts["train"]["observations"] + counts["test"]["observations"] == 24
    test = counts["test"]["observations"]

    run = tmp_path / "run"
    trained = result(capsys, "train", "--data", str(data), "--out", str(run), *BRIEF)
    assert trained["observations"] == counts["train"]["observations"]
    assert trained["captions"]["found"] == trained["observations"]  # the world has a caption for each
    for name in ("config.yaml", "model/model.safetensors", "model/config.json", "metrics.csv", "tensorboard"):
        assert (run / name).exists(), name
    for name in ("last.ckpt", "best.ckpt"):
        assert (run / "checkpoints" / name).is_file()
    assert resolve(Config, read_yaml(run / "config.yaml")).data.size == (64, 32)

    results = tmp_path / "results.json"
    scored = result(
        capsys, "evaluate", "--model", str(run / "model"), "--data", str(data), "--out", str(results),
        "--protocol", "cross-camera", "--scenario", "missing", "--bootstrap", "50",
    )  # fmt: skip
    assert json.loads(results.read_text()) == scored
    assert scored["format"] == "nextreid.results/1"
    assert scored["queries"]["total"] == scored["queries"]["valid"] == test
    assert {"mAP", "rank1", "rank5", "rank10", "rank20", "mINP", "mAP_ci"} <= set(scored["metrics"])
    assert all(0 <= scored["metrics"][name] <= 1 for name in ("mAP", "rank1", "mINP"))
    assert len(scored["scenarios"]["missing"]["rows"]) == 6
    assert "answer" in scored["settings"]["captions"]  # not used: they come from the truth
    assert scored["selection"].startswith("last epoch")
    table = pd.read_parquet(tmp_path / "results.per_query.parquet")
    assert list(table.columns) == ["query", "ap", "inp", "first_match_rank", "valid"]
    assert len(table) == test
    assert table["ap"].mean() == pytest.approx(scored["metrics"]["mAP"])

    out = tmp_path / "e.npz"
    embedded = result(
        capsys, "embed", "--model", str(run / "model"), "--data", str(data), "--out", str(out),
        "--modalities", "each-subset",
    )  # fmt: skip
    vectors = load_embeddings(out)
    rows = load_manifest(data).split("test").rows
    assert vectors.observation.tolist() == [row.observation for row in rows]
    assert embedded["observations"] == test == len(vectors)
    assert set(vectors.subsets) == {"rgb", "nir", "tir", "rgb+nir", "rgb+tir", "nir+tir"}

    again = result(
        capsys, "evaluate", "--embeddings", str(out), "--data", str(data), "--protocol", "cross-camera",
        "--out", str(tmp_path / "again.json"), "--bootstrap", "0",
    )  # fmt: skip
    assert again["metrics"]["mAP"] == pytest.approx(scored["metrics"]["mAP"], abs=1e-9)


def test_a_benchmark_becomes_a_manifest(benchmark_world: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "table.csv"
    done = result(capsys, "data", "import", str(benchmark_world), "--layout", "rgbnt201", "--out", str(out))
    imported, direct = load_manifest(out), load_manifest(benchmark_world)
    assert done["observations"] == len(imported) == len(direct)
    assert [row.observation for row in imported.rows] == [row.observation for row in direct.rows]
    for one, other in zip(imported.rows, direct.rows, strict=True):
        assert {name: path.resolve() for name, path in one.paths.items()} == dict(other.paths)


def test_an_existing_run_is_not_overwritten(world: Path, model: Path, capsys) -> None:
    before = (model / "model.safetensors").read_bytes()
    assert main(["train", "--data", str(world), "--out", str(model.parent), *BRIEF]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (model / "model.safetensors").read_bytes() == before


def test_resuming_a_finished_run_needs_no_options(model: Path, capsys) -> None:
    done = result(capsys, "train", "--out", str(model.parent), "--resume")
    assert done["model"] == str(model)


def test_one_modality_and_unknown_ones(world: Path, model: Path, tmp_path: Path, capsys) -> None:
    words = ("embed", "--model", str(model), "--data", str(world))
    one = result(capsys, *words, "--out", str(tmp_path / "tir.npz"), "--modalities", "tir")
    assert one["observations"] == 12
    assert main([*words, "--out", str(tmp_path / "x.npz"), "--modalities", "depth"]) == 2
    assert "rgb, nir, tir" in capsys.readouterr().err

    table = (world / "manifest.csv").read_text().replace(",tir", ",depth", 1)
    renamed = world / "renamed.csv"
    renamed.write_text(table)
    try:
        words = ("embed", "--model", str(model), "--data", str(renamed))
        strange = result(capsys, *words, "--out", str(tmp_path / "depth.npz"), "--modalities", "depth")
    finally:
        renamed.unlink()
    assert strange["observations"] == 12
    vectors = load_embeddings(tmp_path / "depth.npz").vectors
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(6), axis=0)) == 12  # they do tell observations apart


def test_captions_are_labelled_and_counted(world: Path, model: Path, tmp_path: Path, capsys) -> None:
    words = ["evaluate", "--model", str(model), "--data", str(world), "--protocol", "cross-camera"]
    told = result(
        capsys,
        *words,
        "--captions",
        str(world / "text"),
        "--out",
        str(tmp_path / "t.json"),
        "--bootstrap",
        "0",
    )
    assert told["settings"]["captions"] == str(world / "text")
    assert told["settings"]["captions_from_truth"] is True
    assert main([*words, "--captions", "nowhere", "--out", str(tmp_path / "n.json")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_protocols_are_named_where_the_data_has_none(
    world: Path, model: Path, tmp_path: Path, capsys
) -> None:
    words = ["evaluate", "--model", str(model), "--data", str(world), "--out", str(tmp_path / "r.json")]
    assert main(words) == 2
    assert "--protocol" in capsys.readouterr().err
    for protocol in ("cross-scene", "none"):
        scored = result(capsys, *words, "--protocol", protocol, "--bootstrap", "0")
        assert scored["protocol"]["name"] == protocol


def test_a_run_folder_is_told_from_a_model_folder(world: Path, model: Path, tmp_path: Path, capsys) -> None:
    words = ["embed", "--model", str(model.parent), "--data", str(world), "--out", str(tmp_path / "e.npz")]
    assert main(words) == 2
    assert f"give {model}" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_speak_once(world: Path, tmp_path: Path) -> None:
    words = ["train", "--data", str(world), "--out", str(tmp_path / "run"), *BRIEF, "--train.devices", "2"]
    words += ["--train.k", "4", "--device", "cpu", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "nextreid.cli.main", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert json.loads(done.stdout)["run"] == str(tmp_path / "run")
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
