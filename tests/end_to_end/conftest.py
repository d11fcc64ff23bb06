"""A tiny world in both layouts and a briefly trained model, made once for all end-to-end tests."""

from pathlib import Path

import pytest
from toy_options import BRIEF

from nextreid.cli.main import main


def make_world(folder: Path, layout: str) -> Path:
    words = [
        "--identities",
        "12",
        "--cameras",
        "2",
        "--per-camera",
        "1",
        "--size",
        "64x32",
        "--layout",
        layout,
    ]
    assert main(["synth", str(folder), *words, "--seed", "1", "--quiet", "--workers", "0"]) == 0
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("worlds") / "world", "manifest")


@pytest.fixture(scope="session")
def benchmark_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("worlds") / "RGBNT201", "rgbnt201")


@pytest.fixture(scope="session")
def model(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--data", str(world), "--out", str(run), *BRIEF, "--quiet"]) == 0
    return run / "model"
