"""Worlds that weights were pretrained on are never written, and nothing measures on them."""

import re
from pathlib import Path

import pytest

from nextreid.errors import InputError
from nextreid.synthetic.plan import PRETRAINING_SEEDS, WorldSpec, plan_world
from nextreid.synthetic.world import write_world

ROOT = Path(__file__).parents[2]
MEASURING = ("benchmarks", "src/nextreid/cli/configs", "tests", "examples", "Makefile")
TEXT = {".py", ".yaml", ".yml", ".json", ".toml", ".md", ".sh", ".txt", ".csv", ""}


@pytest.mark.parametrize("seed", [PRETRAINING_SEEDS.start, PRETRAINING_SEEDS.stop - 1])
def test_a_pretraining_seed_is_planned_but_never_written(seed, tmp_path):
    with pytest.raises(InputError, match="kept for pretraining"):
        write_world(tmp_path / "w", identities=2, cameras=1, per_camera=1, seed=seed, size=(64, 32))
    assert not (tmp_path / "w").exists()
    assert len(plan_world(WorldSpec("person", 2, 1, 1, seed, (64, 32))).sightings) == 2


def test_seeds_beside_the_range_are_written(tmp_path):
    seed = PRETRAINING_SEEDS.stop
    assert write_world(tmp_path / "w", identities=2, cameras=1, per_camera=1, seed=seed, size=(64, 32))


def test_nothing_that_measures_names_a_pretraining_seed():
    number = re.compile(r"(?<![\d._])\d{3}_?\d{3}_?\d{3}(?![\d._])")
    assert int(number.findall("seed: 900_000_001")[0]) in PRETRAINING_SEEDS
    files = [ROOT / "Makefile"] + [p for name in MEASURING[:-1] for p in sorted((ROOT / name).rglob("*"))]
    read = [p for p in files if p.is_file() and p.suffix in TEXT and p != Path(__file__)]
    assert len(read) > 50
    for path in read:
        found = [int(digits) for digits in number.findall(path.read_text(encoding="utf-8", errors="ignore"))]
        assert not [seed for seed in found if seed in PRETRAINING_SEEDS], path
