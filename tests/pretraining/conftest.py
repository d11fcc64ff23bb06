"""Worlds of twenty observations, rendered once for all tests of this room."""

from pathlib import Path

import pytest
from pretrain_cases import WORLDS

from nextreid.pretraining.pack import Pack
from nextreid.pretraining.worlds import pretraining_worlds, render_worlds
from nextreid.progress import Silent


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretraining") / "worlds"
    render_worlds(pretraining_worlds(seed=0, **WORLDS), folder, workers=0, progress=Silent())
    return folder


@pytest.fixture(scope="session")
def packs(worlds: Path) -> dict[str, list[Pack]]:
    return render_worlds(pretraining_worlds(seed=0, **WORLDS), worlds, workers=0, progress=Silent())
