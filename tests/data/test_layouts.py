"""The RGBNT201 layout: whole trees, half-copied trees, missing partners."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skeletons import rgbnt201

from nextreid.data.check import check_manifest
from nextreid.data.layouts import recognise
from nextreid.data.manifest import load_manifest, write_manifest
from nextreid.errors import InputError

CAPTIONS = Path(__file__).parents[3] / "shared" / "data" / "captions" / "next_rgbnt201"

NAMES = {
    "train_171": ["000002_cam1_0_00.jpg", "000002_cam2_0_01.jpg", "000010_cam1_1_00.jpg"],
    "test": ["000003_cam2_0_00.jpg", "000003_cam1_0_12.jpg"],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "RGBNT201"
    rng = np.random.default_rng(0)
    for top, names in NAMES.items():
        for folder in ("RGB", "NI", "TI"):
            (root / top / folder).mkdir(parents=True)
            for name in names:
                pixels = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / top / folder / name)
    return root


def test_a_whole_tree(tree: Path) -> None:
    assert recognise(tree) == "rgbnt201"
    manifest = load_manifest(tree)
    assert [row.observation for row in manifest.rows] == [
        "000002_cam1_0_00",
        "000002_cam2_0_01",
        "000010_cam1_1_00",
        "000003_cam1_0_12",
        "000003_cam2_0_00",
    ]
    first, last = manifest.rows[0], manifest.rows[-1]
    assert (first.split, first.is_query, first.is_gallery) == ("train", False, False)
    assert (last.split, last.is_query, last.is_gallery) == ("test", True, True)
    assert (last.identity, last.camera, last.kind) == ("000003", "2", "person")
    assert last.extra == {"flag": "0", "frame": "00"}
    assert last.paths["tir"] == tree / "test" / "TI" / "000003_cam2_0_00.jpg"
    assert manifest.modalities == ("rgb", "nir", "tir")
    assert (manifest.layout, manifest.name, manifest.source) == ("rgbnt201", "RGBNT201", tree)
    assert check_manifest(manifest).ok


def test_the_hash_follows_the_file_list(tree: Path) -> None:
    before = load_manifest(tree).sha256
    (tree / "train_171" / "RGB" / ".DS_Store").touch()
    (tree / "train_171" / "RGB" / "Thumbs.db").touch()
    moved = tree.rename(tree.parent / "moved")
    assert load_manifest(moved).sha256 == before, "the same wherever it lies"
    (moved / "test" / "TI" / "000003_cam2_0_00.jpg").unlink()
    assert load_manifest(moved).sha256 != before


def test_a_missing_partner_is_an_absent_modality_and_a_finding(tree: Path) -> None:
    (tree / "train_171" / "NI" / "000010_cam1_1_00.jpg").unlink()
    (tree / "test" / "RGB" / "000003_cam1_0_12.jpg").unlink()
    manifest = load_manifest(tree)
    assert len(manifest) == 5, "RGB does not drive the list"
    report = check_manifest(manifest)
    found = {(f.observations[0], f.modality) for f in report.findings if f.rule == "unpaired-modality"}
    assert found == {("000010_cam1_1_00", "nir"), ("000003_cam1_0_12", "rgb")}
    assert report.ok


@pytest.mark.parametrize("lost", ["train_171", "test/TI", "train_171/NI"])
def test_a_half_copied_tree_says_expected_and_found(tree: Path, lost: str) -> None:
    shutil.rmtree(tree / lost)
    with pytest.raises(
        InputError, match=rf"no images in {lost}.*found .*\(\d images\).*Allowed: train_171/"
    ) as caught:
        load_manifest(tree)
    if lost == "test/TI":
        assert "test/RGB (2 images)" in str(caught.value)
        (tree / lost).mkdir()
        with pytest.raises(InputError, match="no images in test/TI"):
            load_manifest(tree)


def test_wrong_folders(tree: Path) -> None:
    with pytest.raises(InputError, match=r"not a data set; it holds RGBNT201.*give .*RGBNT201"):
        load_manifest(tree.parent)
    with pytest.raises(InputError, match=r"not a whole rgbnt201 tree.*found RGBNT201"):
        load_manifest(tree.parent, layout="rgbnt201")
    with pytest.raises(InputError, match=r"'market' is not a layout. Allowed: rgbnt201"):
        load_manifest(tree, layout="market")
    with pytest.raises(InputError, match="is not a folder"):
        load_manifest(tree / "test" / "RGB" / NAMES["test"][0], layout="rgbnt201")


def test_names_that_break_the_rule(tree: Path) -> None:
    stray = tree / "test" / "NI" / "0865_vis_v1.jpg"
    Image.new("L", (4, 4)).save(stray)
    with pytest.raises(
        InputError, match=r"0865_vis_v1\.jpg: the file name does not follow the rgbnt201 rule"
    ):
        load_manifest(tree)
    stray.unlink()
    Image.new("L", (4, 4)).save(tree / "test" / "NI" / "000003_cam1_0_12.png")
    with pytest.raises(InputError, match=r"holds 000003_cam1_0_12\.jpg and 000003_cam1_0_12\.png"):
        load_manifest(tree)
    (tree / "test" / "NI" / "000003_cam1_0_12.png").unlink()
    shutil.copy(tree / "train_171" / "RGB" / "000002_cam1_0_00.jpg", tree / "test" / "RGB")
    with pytest.raises(InputError, match="000002_cam1_0_00 lies in train_171 and in test"):
        load_manifest(tree)


def test_a_manifest_wins_unless_the_layout_is_named(tree: Path) -> None:
    write_manifest(load_manifest(tree).split("test"), tree / "manifest.csv")
    assert len(load_manifest(tree)) == 2
    assert len(load_manifest(tree, layout="rgbnt201")) == 5


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="published captions are not beside the repository")
def test_the_published_names_give_the_published_counts(tmp_path: Path) -> None:
    """4787 samples; 171 and 30 identities; 836 queries with 11256 positives (reference protocols)."""
    names = {
        top: [entry["item"] for entry in json.loads((CAPTIONS / f"{split}_RGB.json").read_text())]
        for split, top in (("train", "train_171"), ("test", "test"))
    }
    manifest = load_manifest(rgbnt201(tmp_path / "RGBNT201", names=names))
    train, test = manifest.split("train"), manifest.split("test")
    assert (len(train), len(test)) == (3951, 836)
    assert (len(train.identities), len(test.identities)) == (171, 30)
    assert (train.cameras, test.cameras) == (("1", "2", "3", "4"), ("1", "2"))
    single = sum(
        len({row.camera for row in train.rows if row.identity == identity}) == 1
        for identity in train.identities
    )
    assert single == 120
    positives = sum(
        other.identity == row.identity and other.camera != row.camera
        for row in test.rows
        for other in test.rows
    )
    assert positives == 11256
