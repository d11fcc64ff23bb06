"""Which worlds a pretraining reads: only reserved ones, no two alike, and never without room for them."""

import shutil
from itertools import product
from types import SimpleNamespace

import pytest

from nextreid.errors import InputError
from nextreid.pretraining.pack import open_pack
from nextreid.pretraining.worlds import MOST, SIZES, pretraining_worlds, render_worlds
from nextreid.progress import Silent
from nextreid.synthetic.plan import PRETRAINING_SEEDS

SHAPE = {"identities": 3, "cameras": 1, "per_camera": 1}
LAST = len(PRETRAINING_SEEDS) // (MOST * len(SIZES)) - 1


def test_worlds_come_from_the_reserved_seeds_and_pretrainings_share_none() -> None:
    found = [
        world
        for seed, count in product((0, 1, 2, LAST), (1, MOST))
        for world in pretraining_worlds(seed=seed, count=count, **SHAPE)
    ]
    assert all(world.seed in PRETRAINING_SEEDS for world in found)
    assert len({(world.kind, world.seed) for world in found}) == 4 * len(SIZES) * MOST
    assert len({world.seed for world in found}) == 4 * len(SIZES) * MOST
    fewer, more = (pretraining_worlds(seed=3, count=count, **SHAPE) for count in (1, 2))
    assert set(fewer) < set(more)  # more worlds are those and others
    assert [world.kind for world in more] == ["person", "person", "vehicle", "vehicle"]
    assert {world.kind: world.size for world in more} == SIZES


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seed": -1}, f"--seed -1.*0 to {LAST}"),
        ({"seed": LAST + 1}, f"--seed {LAST + 1}.*0 to {LAST}"),
        ({"count": 0}, f"count=0.*1 to {MOST}"),
        ({"count": MOST + 1}, f"count={MOST + 1}.*1 to {MOST}"),
        ({"identities": 1}, "2 or more"),
    ],
)
def test_what_cannot_be_is_an_error(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        pretraining_worlds(**{"seed": 0, "count": 1, **SHAPE, **wrong})


def test_too_little_room_is_said_before_anything_is_written(tmp_path, monkeypatch) -> None:
    worlds = pretraining_worlds(seed=0, count=1, **SHAPE)
    needed = 2 * 3 * 192 * 96 * 3 * (3 + 1)  # of both worlds together
    for free, enough in ((needed - 1, False), (needed, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        monkeypatch.setattr("nextreid.pretraining.worlds.render_pack", lambda *_, **__: "rendered")
        if enough:
            found = render_worlds(worlds, tmp_path / "a" / "b", workers=0, progress=Silent())
            assert found == {"person": ["rendered"], "vehicle": ["rendered"]}
        else:
            with pytest.raises(InputError, match=r"GB.*--worlds"):
                render_worlds(worlds, tmp_path / "a" / "b", workers=0, progress=Silent())
            assert not (tmp_path / "a").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path) -> None:
    worlds = pretraining_worlds(seed=0, count=1, **SHAPE)
    (tmp_path / "manifest.csv").write_text("observation,rgb\n")
    (tmp_path / f"person-{worlds[0].seed}").mkdir()
    with pytest.raises(InputError, match=r"holds other files: manifest\.csv\. Allowed.*--worlds"):
        render_worlds(worlds, tmp_path, workers=0, progress=Silent())
    assert len(list(tmp_path.iterdir())) == 2


def test_the_other_processes_wait_for_the_first(worlds, packs, monkeypatch) -> None:
    tries = []

    def late(folder):
        tries.append(folder)
        if len(tries) < 3:
            raise InputError("not yet") if len(tries) == 1 else ValueError("half written")
        return open_pack(folder)

    monkeypatch.setattr("nextreid.pretraining.worlds.open_pack", late)
    monkeypatch.setattr("time.sleep", lambda _: None)
    specs = pretraining_worlds(seed=0, count=1, identities=10, cameras=2, per_camera=1)
    found = render_worlds(specs, worlds, workers=0, progress=Silent(), main=False)
    assert {kind: [len(pack) for pack in each] for kind, each in found.items()} == {
        "person": [20],
        "vehicle": [20],
    }
    assert len(tries) == 4
