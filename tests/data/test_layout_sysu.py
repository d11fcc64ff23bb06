"""SYSU-MM01: lists, locations, and the official galleries as columns."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import skeletons

from nextreid.data.layout_draws import draw_columns, read_permutations
from nextreid.data.layouts import recognise
from nextreid.data.manifest import load_manifest, write_manifest
from nextreid.errors import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return skeletons.sysu_mm01(tmp_path / "SYSU-MM01")


def test_rows_by_hand(tree: Path) -> None:
    assert recognise(tree) == "sysu-mm01"
    manifest = load_manifest(tree)
    assert manifest.modalities == ("rgb", "nir")
    train, test = manifest.split("train"), manifest.split("test")
    assert Counter((row.identity, row.extra["list"]) for row in train.rows) == {
        ("0001", "train"): 6,
        ("0003", "train"): 6,
        ("0004", "val"): 6,
    }
    counted = Counter((int(row.camera or 0), int(row.identity or 0)) for row in test.rows)
    assert counted == skeletons.SYSU_SMALL
    for row in test.rows:
        infrared = row.camera in ("3", "6")
        assert tuple(row.paths) == (("nir",) if infrared else ("rgb",))
        assert (row.is_query, row.is_gallery) == (infrared, not infrared)
        assert row.scene == {"1": "1", "2": "2", "3": "2", "4": "4", "5": "5", "6": "6"}[row.camera or ""]
    assert test.rows[0].observation == "cam1/0006/0001"
    assert test.rows[0].paths["rgb"] == tree / "cam1" / "0006" / "0001.jpg"


def test_draws_are_the_permutations_read_image_by_image(tree: Path) -> None:
    """A twin with loops: trial t's gallery is the first images of row t, as the MATLAB code takes them."""
    cells = scipy.io.loadmat(tree / "exp" / "rand_perm_cam.mat")["rand_perm_cam"]
    manifest = load_manifest(tree)
    for trial in range(1, 11):
        for shots in (1, 2, 10):
            by_rows = {
                row.observation
                for row in manifest.split("test").rows
                if row.is_gallery and int(row.extra[f"draw_{trial}"]) < shots
            }
            by_loops = set()
            for (camera, identity), _ in skeletons.SYSU_SMALL.items():
                if camera in (3, 6):
                    continue
                numbers = cells[camera - 1, 0][identity - 1, 0][trial - 1]
                for number in numbers[:shots]:
                    by_loops.add(f"cam{camera}/{identity:04d}/{number:04d}")
            assert by_rows == by_loops, (trial, shots)


def test_a_manifest_needs_the_file_no_more(tree: Path, tmp_path: Path) -> None:
    read = load_manifest(tree)
    write_manifest(read, tmp_path / "sysu.csv")
    (tree / "exp" / "rand_perm_cam.mat").unlink()
    table = load_manifest(tmp_path / "sysu.csv")
    assert [dict(row.extra) for row in table.rows] == [dict(row.extra) for row in read.rows]
    bare = load_manifest(tree)
    assert not any(name.startswith("draw_") for row in bare.rows for name in row.extra)
    assert bare.notes == (
        "there is no exp/rand_perm_cam.mat: the official galleries are not known, only seeded ones",
    )
    assert bare.sha256 != read.sha256, "other galleries can be drawn from it"


def test_draw_columns_by_hand() -> None:
    assert draw_columns(np.array([[2, 0, 1], [0, 1, 2]])) == [
        {"draw_1": "1", "draw_2": "0"},
        {"draw_1": "2", "draw_2": "1"},
        {"draw_1": "0", "draw_2": "2"},
    ]


def test_lists_in_matlab_form(tree: Path) -> None:
    before = load_manifest(tree)
    for name in ("train", "val", "test"):
        file = tree / "exp" / f"{name}_id.txt"
        numbers = [int(word) for word in file.read_text().split(",")]
        file.unlink()
        scipy.io.savemat(file.with_suffix(".mat"), {"id": np.array([numbers])})
    assert load_manifest(tree).rows == before.rows


def test_the_whole_release_has_its_counts(tmp_path: Path) -> None:
    test = load_manifest(skeletons.sysu_mm01(tmp_path / "SYSU-MM01", whole=True)).split("test")
    images = Counter(row.camera for row in test.rows)
    people = {camera: len({r.identity for r in test.rows if r.camera == camera}) for camera in images}
    assert images == {"1": 1374, "2": 1565, "3": 1883, "4": 1918, "5": 1918, "6": 1920}
    assert people == {"1": 56, "2": 56, "3": 93, "4": 94, "5": 95, "6": 96}
    assert sum(row.is_query for row in test.rows) == 3803
    for trial in (1, 10):
        drawn = [row for row in test.rows if row.is_gallery]
        for cameras, shots, wanted in (
            ("1245", 1, 301),
            ("1245", 10, 3010),
            ("12", 1, 112),
            ("12", 10, 1120),
        ):
            here = [r for r in drawn if r.camera in cameras and int(r.extra[f"draw_{trial}"]) < shots]
            assert len(here) == wanted


@pytest.mark.parametrize("camera", [1, 6])
def test_a_camera_that_was_not_copied(tree: Path, camera: int) -> None:
    os.rename(tree / f"cam{camera}", tree / f"Cam_{camera}")
    with pytest.raises(InputError, match=f"not a whole sysu-mm01 tree: no images in cam{camera}") as caught:
        load_manifest(tree, layout="sysu-mm01")
    assert f"rename Cam_{camera} to cam{camera}" in str(caught.value)
    assert "cam2 (" in str(caught.value)


def test_lists_that_are_not_there(tree: Path) -> None:
    (tree / "exp" / "val_id.txt").rename(tree / "exp" / "valid.txt")
    with pytest.raises(
        InputError, match=r"lacks the lists of identities exp/val_id\.txt; exp holds .*valid\.txt"
    ):
        load_manifest(tree)
    shutil.rmtree(tree / "exp")
    with pytest.raises(InputError, match="exp holds nothing"):
        load_manifest(tree)


def test_lists_and_folders_that_disagree(tree: Path) -> None:
    (tree / "exp" / "test_id.txt").write_text("6,7,12,13\n")
    with pytest.raises(
        InputError, match=r"1 of 4 identities of exp/test_id have no folder .*: 0013; found 6"
    ):
        load_manifest(tree)
    (tree / "exp" / "test_id.txt").write_text("6,7,x\n")
    with pytest.raises(InputError, match=r"test_id\.txt holds 'x'"):
        load_manifest(tree)
    (tree / "exp" / "test_id.txt").write_text("1,6,7\n")
    with pytest.raises(InputError, match="identity 1 is in train_id and in test_id"):
        load_manifest(tree)
    (tree / "exp" / "test_id.txt").write_text("6,7\n")
    assert "left out: 1 identities that are in no list of exp/" in load_manifest(tree).notes


def test_half_copied_folders_do_not_fit_the_permutations(tree: Path) -> None:
    (tree / "cam2" / "0012" / "0003.jpg").unlink()
    with pytest.raises(InputError, match=r"cam2/0012 holds 3 images, exp/rand_perm_cam\.mat draws from 4"):
        load_manifest(tree)


@pytest.mark.parametrize(("camera", "drawn"), [(1, 1), (3, 2), (5, 2)])
def test_a_missing_folder_does_not_fit_them_either(tree: Path, camera: int, drawn: int) -> None:
    shutil.rmtree(tree / f"cam{camera}" / "0007")
    with pytest.raises(
        InputError, match=rf"cam{camera}/0007 holds 0 images, exp/rand_perm_cam\.mat draws from {drawn}"
    ):
        load_manifest(tree)


def test_damaged_permutations(tree: Path, tmp_path: Path) -> None:
    file = tree / "exp" / "rand_perm_cam.mat"
    skeletons.write_permutations(file, {(1, 6): np.array([[1, 2, 2]] * 10)})
    with pytest.raises(InputError, match=r"camera 1, identity 6: .*no 10 permutations of 1 to 3"):
        load_manifest(tree)
    skeletons.write_permutations(file, {(1, 6): np.array([[1, 2, 3]] * 9)})
    with pytest.raises(InputError, match="no 10 permutations"):
        load_manifest(tree)
    skeletons.write_permutations(file, {(2, 6): np.array([[1, 2]] * 10)})
    with pytest.raises(InputError, match=r"cam1/0006 holds 3 images, .* draws from 0"):
        load_manifest(tree)
    scipy.io.savemat(file, {"perm": np.eye(2)})
    with pytest.raises(InputError, match="has no variable rand_perm_cam"):
        load_manifest(tree)
    scipy.io.savemat(file, {"rand_perm_cam": np.eye(2)})
    with pytest.raises(InputError, match="not cells"):
        load_manifest(tree)
    file.write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    with pytest.raises(InputError, match="cannot be read as a MATLAB file"):
        read_permutations(file)
