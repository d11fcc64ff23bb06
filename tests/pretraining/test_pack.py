"""Packs: what is in them, and that an interruption, more processes or another process change nothing."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pretrain_cases import vocabulary

from nextreid.errors import InputError
from nextreid.pretraining.pack import CHUNK, FORMAT, MODALITIES, open_pack, render_pack
from nextreid.synthetic.plan import WorldSpec, plan_world, render_observation

SPEC = WorldSpec("person", 3, 2, 1, seed=41, size=(64, 32))
FILES = ("pixels.npy", "masks.npy", "values.npy", "visible.npy", "done.npy", "pack.json")

RENDER = """
import sys
from pathlib import Path
from nextreid.pretraining.pack import render_pack
from nextreid.synthetic.plan import WorldSpec
render_pack(WorldSpec("person", 12, 2, 1, seed=42, size=(128, 64)), Path(sys.argv[1]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "world"
    render_pack(SPEC, folder)
    return folder


@pytest.fixture
def copy(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "world"))


def test_a_pack_holds_what_was_rendered_and_is_true(rendered: Path) -> None:
    pack, plan = open_pack(rendered), plan_world(SPEC)
    assert len(pack) == len(plan.sightings) == 6
    assert pack.kind == "person"
    assert pack.pixels.shape == (6, 3, 64, 32, 3)
    assert pack.masks.shape == (6, 3, 64, 32)
    for index in (0, 3, 5):
        shown, facts = render_observation(plan, index)
        for m, modality in enumerate(MODALITIES):
            assert np.array_equal(pack.pixels[index, m], shown.images[modality])
            assert np.array_equal(pack.masks[index, m], shown.masks[modality])
        told = {(fact.modality, fact.attribute): fact for fact in facts}
        for a, attribute in enumerate(pack.schema.attributes):
            for m, modality in enumerate(MODALITIES):
                fact = told.get((modality, attribute.name))
                assert pack.visible[index, m, a] == (fact is not None and fact.visible)
                if fact is None:
                    assert pack.values[index, m, a] == -1
                else:
                    assert attribute.values[pack.values[index, m, a]] == fact.value
    assert 0 < pack.visible.mean() < 1


def test_image_quality_is_each_sensors_own(rendered: Path) -> None:
    pack, plan = open_pack(rendered), plan_world(SPEC)
    table = vocabulary("person").table(pack.values, pack.visible).reshape(6, 3, -1)
    qualities = set()
    for index in range(6):
        facts = [f for f in render_observation(plan, index)[1] if f.attribute == "image_quality"]
        for fact in facts:
            column = vocabulary("person").columns["image_quality", fact.value]
            assert table[index, MODALITIES.index(fact.modality), column]
        qualities.add(tuple(fact.value for fact in facts))
    assert any(len(set(each)) == 2 for each in qualities)  # this world has a picture to tell it by


def test_nothing_but_the_files_of_a_pack_is_left(rendered: Path) -> None:
    assert sorted(contents(rendered)) == sorted(FILES)


@pytest.mark.parametrize("lost", [[0, 1, 2, 3, 4, 5], [2], [0, 5]])
def test_an_interrupted_pack_is_finished_to_the_same_bytes(
    rendered: Path, copy: Path, lost: list[int]
) -> None:
    for name, flag in (("pixels", 7), ("masks", 7), ("values", 0), ("visible", True), ("done", False)):
        array = np.load(copy / f"{name}.npy", mmap_mode="r+")
        array[lost] = flag  # half written, and not noted as done
        array.flush()
    with pytest.raises(InputError, match="no complete pack"):
        open_pack(copy)
    render_pack(SPEC, copy)
    assert contents(copy) == contents(rendered)


def test_a_pack_killed_before_its_header_is_begun_anew(rendered: Path, copy: Path) -> None:
    (copy / "pack.json").unlink()
    (copy / "values.npy").unlink()
    np.load(copy / "pixels.npy", mmap_mode="r+")[:] = 9
    with pytest.raises(InputError, match="no complete pack"):
        open_pack(copy)
    render_pack(SPEC, copy)
    assert contents(copy) == contents(rendered)


def test_a_complete_pack_is_only_opened(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr("nextreid.pretraining.pack.render_observation", never)
    before = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    assert len(render_pack(SPEC, copy, workers=2)) == 6
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == before


@pytest.mark.parametrize(
    "changed", [{"seed": 43}, {"identities": 4}, {"size": (96, 48)}, {"kind": "vehicle"}, {"tir": "gray"}]
)
def test_another_worlds_folder_is_refused_and_left_alone(copy: Path, changed: dict) -> None:
    before = contents(copy)
    with pytest.raises(InputError, match=r"another world.*delete it"):
        render_pack(replace(SPEC, **changed), copy)
    assert contents(copy) == before


def test_another_process_is_sent_a_path_and_opens_the_files(rendered: Path) -> None:
    pack = open_pack(rendered)
    sent = pickle.dumps(pack)
    assert len(sent) < 500 < pack.pixels.nbytes
    assert isinstance(pack.pixels, np.memmap)
    again = pickle.loads(sent)
    assert isinstance(again.pixels, np.memmap)
    for name in ("pixels", "masks", "values", "visible"):
        assert np.array_equal(getattr(again, name), getattr(pack, name))
    assert not pack.pixels.flags.writeable


def test_what_is_no_pack_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no complete pack"):
        open_pack(tmp_path)
    with pytest.raises(InputError, match="no complete pack"):
        open_pack(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["pixels.npy", "masks.npy", "values.npy", "visible.npy", "done.npy", "pack.json"]
)
def test_a_damaged_file_is_named_with_what_to_do(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:100])
    for again in (open_pack, lambda folder: render_pack(SPEC, folder)):
        with pytest.raises(InputError, match=rf"{name} is damaged(?s:.*)delete the folder"):
            again(copy)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("values.npy", lambda a: a[:1], r"it holds \(1, 3, \d+\) of int8, not \("),
        ("visible.npy", lambda a: a.astype(np.uint8), "of uint8, not .* of bool"),
        ("pixels.npy", lambda a: a.astype(np.float32), "of float32, not .* of uint8"),
        ("masks.npy", lambda a: a[:, :2], "not "),
        ("values.npy", lambda a: np.full_like(a, 99), "no value of its attribute"),
        ("values.npy", lambda a: a - 5, "no value of its attribute"),
    ],
)
def test_a_whole_file_with_something_else_in_it_is_damaged_too(
    copy: Path, name: str, change: Callable[[Any], Any], said: str
) -> None:
    np.save(copy / name, change(np.load(copy / name)))
    with pytest.raises(InputError, match=rf"{name} is damaged: .*{said}(?s:.*)delete the folder"):
        render_pack(SPEC, copy)


def test_a_pack_is_not_done_when_half_of_what_was_done_is_forgotten(copy: Path) -> None:
    np.save(copy / "done.npy", np.load(copy / "done.npy")[:1])
    with pytest.raises(InputError, match=r"done\.npy is damaged"):
        render_pack(SPEC, copy)


def test_pictures_of_another_version_are_not_taken(copy: Path) -> None:
    header = (copy / "pack.json").read_text()
    (copy / "pack.json").write_text(header.replace(FORMAT, "nextreid.pack/2"))
    with pytest.raises(InputError, match=r"another version of nextreid drew \(nextreid\.pack/2\)"):
        render_pack(SPEC, copy)


def test_the_header_tells_the_world(rendered: Path) -> None:
    header = json.loads((rendered / "pack.json").read_text())
    assert header["format"] == FORMAT
    assert WorldSpec(**header["spec"] | {"size": tuple(header["spec"]["size"])}) == SPEC


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    spec = replace(SPEC, identities=2 * CHUNK)  # several chunks
    one, two = tmp_path / "one", tmp_path / "two"
    render_pack(spec, one, workers=1)
    render_pack(spec, two, workers=2)
    assert contents(one) == contents(two)


@pytest.mark.slow
def test_a_killed_rendering_is_finished_to_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", RENDER, str(broken)], env=environment)
    try:
        while not ((broken / "pack.json").exists() and np.load(broken / "done.npy").sum() >= 3):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    done = np.load(broken / "done.npy")
    assert 3 <= done.sum() < len(done) == 24
    for folder in (broken, whole):
        subprocess.run([sys.executable, "-c", RENDER, str(folder)], check=True, env=environment)
    assert contents(broken) == contents(whole)
