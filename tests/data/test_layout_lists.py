"""RegDB and LLCM: index files, folders, trials; half-copied and renamed ones."""

import os
import shutil
from pathlib import Path

import pytest
import skeletons

from nextreid.data.layout_lists import camera_of
from nextreid.data.layouts import layout_named, recognise
from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError


@pytest.fixture
def regdb(tmp_path: Path) -> Path:
    return skeletons.regdb(tmp_path / "RegDB")


@pytest.fixture
def llcm(tmp_path: Path) -> Path:
    return skeletons.llcm(tmp_path / "LLCM")


def test_regdb_by_hand(regdb: Path) -> None:
    assert recognise(regdb) == "regdb"
    manifest = load_manifest(regdb)
    assert manifest.modalities == ("rgb", "tir")
    train, test = manifest.split("train"), manifest.split("test")
    assert (train.identities, test.identities) == (("1", "3"), ("2", "4"))
    assert len(train) == len(test) == 8
    assert all(row.is_query and row.is_gallery and len(row.paths) == 1 for row in test.rows)
    first = test.rows[0]
    assert (first.observation, first.identity, first.camera) == ("Visible/2/male_front_v_00007_2", "2", "1")
    assert test.rows[-1].paths == {"tir": regdb / "Thermal" / "4" / "male_front_t_00009_4.bmp"}
    assert test.rows[-1].camera == "2"


def test_every_trial_of_regdb_is_its_own_list(regdb: Path) -> None:
    assert load_manifest(regdb, layout="regdb@1").rows == load_manifest(regdb).rows
    hashes = set()
    for trial in range(1, 11):
        manifest = load_manifest(regdb, layout=f"regdb@{trial}")
        listed = (regdb / "idx" / f"test_visible_{trial}.txt").read_text().split("\n")
        people = {line.split("/")[1] for line in listed if line}
        assert set(manifest.split("test").identities) == people
        assert not people & set(manifest.split("train").identities)
        assert manifest.name == f"RegDB@{trial}"
        hashes.add(manifest.sha256)
    assert len(hashes) == 6, "four identities have six halves"
    with pytest.raises(InputError, match=r"regdb has no variant '11'\. Allowed: regdb, regdb@1, "):
        load_manifest(regdb, layout="regdb@11")
    (regdb / "idx" / "train_thermal_7.txt").unlink()
    with pytest.raises(
        InputError, match=r"lacks idx/train_thermal_7\.txt; idx holds .*the nearest is train_thermal"
    ):
        load_manifest(regdb, layout="regdb@7")
    assert len(load_manifest(regdb, layout="regdb@6")) == 16


def test_images_of_one_folder_have_their_class_as_identity(tmp_path: Path) -> None:
    """Classes count from 0 in train and in test; they must not be taken for the same identities."""
    tree = tmp_path / "flat"
    plant = skeletons.Planter(tree)
    for split in ("train", "test"):
        for word in ("visible", "thermal"):
            names = [f"{word}/{split}_{person}_{frame}.bmp" for person in range(2) for frame in range(2)]
            for name in names:
                plant.image(name)
            plant.text(f"idx/{split}_{word}_1.txt", [f"{name} {name.split('_')[1]}" for name in names])
    manifest = load_manifest(tree)
    assert manifest.split("train").identities == ("train_0", "train_1")
    assert manifest.split("test").identities == ("test_0", "test_1")


@pytest.mark.parametrize("line", ["Visible/2/x.bmp", "Visible/2/x.bmp two", "7"])
def test_a_bad_line_is_named(regdb: Path, line: str) -> None:
    file = regdb / "idx" / "test_visible_1.txt"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(InputError, match=r"test_visible_1\.txt, line 5: '.*'. Allowed: <path below"):
        load_manifest(regdb)


def test_regdb_half_copied_or_renamed(regdb: Path) -> None:
    (regdb / "Thermal" / "4" / "male_front_t_00009_4.bmp").unlink()
    with pytest.raises(
        InputError, match=r"names 4 images, 1 of them are not there: Thermal/4/male_front_t_00009"
    ):
        load_manifest(regdb)
    os.rename(regdb / "Visible", regdb / "visible")
    with pytest.raises(InputError, match=r"4 of them are not there.*holds Thermal, idx, visible") as caught:
        load_manifest(regdb)
    assert "rename visible to Visible" in str(caught.value)
    shutil.rmtree(regdb / "idx")
    with pytest.raises(InputError, match=r"lacks idx/train_visible_1\.txt; idx holds nothing"):
        load_manifest(regdb, layout="regdb")


def test_an_empty_or_double_list(regdb: Path) -> None:
    file = regdb / "idx" / "test_visible_1.txt"
    text = file.read_text()
    file.write_text("\n")
    with pytest.raises(InputError, match="names 0 images"):
        load_manifest(regdb)
    file.write_text(text + text)
    with pytest.raises(InputError, match="Visible/2/male_front_v_00007_2 occurs twice"):
        load_manifest(regdb)


def test_llcm_by_hand(llcm: Path) -> None:
    assert recognise(llcm) == "llcm"
    manifest = load_manifest(llcm)
    assert manifest.notes == ()
    train, test = manifest.split("train"), manifest.split("test")
    assert (train.identities, test.identities) == (("0001", "0005"), ("0002", "0009"))
    assert [row.camera for row in train.rows] == ["1", "1", "3", "3", "1", "1", "2", "2"]
    found = {(m, int(r.camera or 0), int(r.identity or 0)) for r in test.rows for m in r.paths}
    assert found == {
        ({"vis": "rgb", "nir": "nir"}[word], camera, identity)
        for word, cameras in skeletons.LLCM_TEST.items()
        for camera, people in cameras.items()
        for identity in people
    }
    assert len(test) == 2 * len(found)
    assert all(row.is_query and row.is_gallery for row in test.rows)
    assert test.rows[0].observation == "test_vis/cam1/0002/0002_c01_f0001_vis"


def test_llcm_half_copied_or_renamed(llcm: Path) -> None:
    shutil.rmtree(llcm / "test_nir" / "cam7")
    shutil.rmtree(llcm / "test_vis" / "cam5")
    assert load_manifest(llcm).notes == (
        "folders that the release has are not there: test_vis/cam5, test_nir/cam7",
    )
    os.rename(llcm / "test_nir", llcm / "test_NIR")
    with pytest.raises(InputError, match=r"no images in test_nir; found test_vis \(8 cameras\)") as caught:
        load_manifest(llcm)
    assert "rename test_NIR to test_nir" in str(caught.value)
    os.rename(llcm / "test_NIR", llcm / "test_nir")
    (llcm / "idx" / "test_id.txt").write_text("2,9,11")
    with pytest.raises(InputError, match=r"1 of 3 identities of idx/test_id\.txt have no image .*: 0011"):
        load_manifest(llcm)
    (llcm / "idx" / "test_id.txt").unlink()
    with pytest.raises(InputError, match=r"lacks idx/test_id\.txt"):
        load_manifest(llcm)


def test_identities_that_are_not_tested_are_passed_over(llcm: Path) -> None:
    (llcm / "idx" / "test_id.txt").write_text("9")
    assert load_manifest(llcm).split("test").identities == ("0009",)


@pytest.mark.parametrize(
    ("path", "camera"),
    [
        ("train_vis/cam4/0001/a.jpg", "4"),
        ("VIS/0001/0001_c07_s12_f3.jpg", "7"),
        ("scam9/x.jpg", None),
        ("VIS/0001/a.jpg", None),
        ("cam10/0001/a.jpg", "10"),
    ],
)
def test_cameras_in_paths(path: str, camera: str | None) -> None:
    assert camera_of(path) == camera


def test_names_of_layouts() -> None:
    assert layout_named("regdb@10")[1] == "10"
    assert layout_named("llcm")[1] == ""
    with pytest.raises(InputError, match=r"'sysu' is not a layout.*write --layout sysu-mm01"):
        layout_named("sysu")
    with pytest.raises(InputError, match=r"rgbnt201 has no variant 'clean'\. Allowed: rgbnt201"):
        layout_named("rgbnt201@clean")
    with pytest.raises(InputError, match="regdb has no variant ''"):
        layout_named("regdb@")
