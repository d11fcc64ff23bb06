"""MSVR310, WMVeID863, Market1501-MM and the strips: small trees worked by hand, whole ones by count."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import skeletons
from PIL import Image

from nextreid.data.images import read_image
from nextreid.data.layouts import recognise
from nextreid.data.manifest import load_manifest, write_manifest
from nextreid.data.rows import Manifest
from nextreid.errors import InputError

QUERIES = Path(__file__).parents[3] / "shared" / "reference" / "msvr310_queries.txt"


def ids(manifest: Manifest, role: str) -> list[str]:
    return [row.observation for row in manifest.split("test").rows if getattr(row, role)]


def test_the_whole_rgbnt201(tmp_path: Path) -> None:
    manifest = load_manifest(skeletons.rgbnt201(tmp_path / "RGBNT201", whole=True))
    train, test = manifest.split("train"), manifest.split("test")
    assert (manifest.layout, len(train), len(test)) == ("rgbnt201", 3951, 836)
    assert (len(train.identities), len(test.identities)) == (171, 30)
    assert Counter(row.camera for row in manifest.rows) == {"1": 2957, "2": 1613, "3": 88, "4": 129}
    assert len(ids(manifest, "is_query")) == len(ids(manifest, "is_gallery")) == 836


@pytest.mark.parametrize("query_folder", [True, False])
def test_msvr310_by_hand(tmp_path: Path, query_folder: bool) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310", query_folder=query_folder)
    assert recognise(tree) == "msvr310"
    manifest = load_manifest(tree)
    assert [(r.observation, r.split) for r in manifest.rows] == [
        *((name, "train") for name in skeletons.MSVR310_SMALL["bounding_box_train"]),
        *((name, "test") for name in skeletons.MSVR310_SMALL["bounding_box_test"]),
    ]
    assert ids(manifest, "is_query") == list(skeletons.MSVR310_SMALL_QUERIES)
    assert ids(manifest, "is_gallery") == list(skeletons.MSVR310_SMALL["bounding_box_test"])
    row = manifest.rows[4]
    assert (row.identity, row.scene, row.view, row.camera, row.kind) == ("0002", "2", "3", None, "vehicle")
    assert row.paths["tir"] == tree / "bounding_box_test" / "0002" / "th" / "0002_s002_v3_001.jpg"
    assert manifest.modalities == ("rgb", "nir", "tir")


@pytest.mark.parametrize("query_folder", [True, False])
def test_the_whole_msvr310(tmp_path: Path, query_folder: bool) -> None:
    manifest = load_manifest(skeletons.msvr310(tmp_path / "MSVR310", whole=True, query_folder=query_folder))
    train, test = manifest.split("train"), manifest.split("test")
    assert (len(train), len(test), len(ids(manifest, "is_query"))) == (1032, 1055, 591)
    assert (len(train.identities), len(test.identities)) == (155, 155)
    assert len({row.identity for row in test.rows if row.is_query}) == 52


@pytest.mark.skipif(
    not QUERIES.is_file(), reason="the reference list of queries is not beside the repository"
)
def test_the_rule_gives_the_reference_list_of_queries(tmp_path: Path) -> None:
    listed = [name.strip().removesuffix(".jpg") for name in QUERIES.read_text().split()]
    alone = [f"{9000 + place}_s000_v0_{frame:03d}" for place in range(30) for frame in range(3)]
    names = {"bounding_box_train": ["8000_s000_v0_000"], "bounding_box_test": listed + alone}
    manifest = load_manifest(skeletons.by_identity(tmp_path / "MSVR310", names))
    assert ids(manifest, "is_query") == sorted(listed)
    assert len(listed) == 591


def test_modalities_are_paired_by_name_in_unequal_folders(tmp_path: Path) -> None:
    """Pairing by the order of a listing would shift every pair after the missing file."""
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    (tree / "bounding_box_test" / "0002" / "vis" / "0002_s002_v0_000.jpg").unlink()
    (tree / "bounding_box_test" / "0003" / "th" / "0003_s000_v5_001.jpg").unlink()
    manifest = load_manifest(tree)
    assert len(manifest.split("test")) == 6
    for row in manifest.rows:
        assert {path.stem for path in row.paths.values()} == {row.observation}
    held = {row.observation: set(row.paths) for row in manifest.rows if len(row.paths) < 3}
    assert held == {"0003_s000_v5_001": {"rgb", "nir"}}
    query = next(row for row in manifest.rows if row.observation == "0002_s002_v0_000")
    assert {m: path.relative_to(tree).parts[0] for m, path in query.paths.items()} == {
        "rgb": "query3",  # what the gallery has lost
        "nir": "bounding_box_test",
        "tir": "bounding_box_test",
    }


def test_a_lost_image_is_absent_where_no_folder_has_it(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310", query_folder=False)
    (tree / "bounding_box_test" / "0002" / "vis" / "0002_s002_v0_000.jpg").unlink()
    row = next(r for r in load_manifest(tree).rows if r.observation == "0002_s002_v0_000")
    assert set(row.paths) == {"nir", "tir"}
    assert row.is_query


def test_wmveid863_by_hand(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    assert recognise(tree) == "wmveid863"
    manifest = load_manifest(tree)
    rows = {row.observation: row for row in manifest.rows}
    assert len(manifest.split("train")) == 7
    assert len(manifest.split("test")) == 7
    night = rows["0001_v4_n1_s999_001"]
    assert (night.identity, night.view, night.scene, night.extra["night"]) == ("0001", "4", None, "1")
    assert rows["0002_v0_n9_s002_000"].scene == "2"
    stray, partner = rows["0865_0865_vis_v1_n0_03"], rows["0865_v1_n0_s999_002"]
    assert (stray.identity, stray.view, set(stray.paths)) == ("0865", "1", {"rgb"})
    assert set(partner.paths) == {"tir"}
    assert rows["0451_v0_n0_s999_000"].split == "train"
    twin = rows["test/0451_v0_n0_s999_000"]
    assert (twin.split, twin.is_query, twin.identity) == ("test", True, "0451")
    assert set(twin.paths.values()).isdisjoint(rows["0451_v0_n0_s999_000"].paths.values())
    assert set(rows["0406_v1_n0_s999_004"].paths) == {"nir"}
    assert ids(manifest, "is_query") == [
        "0003_v0_n0_s999_000",
        "0003_v4_n1_s999_001",
        "0005_v2_n9_s001_000",
        "test/0451_v0_n0_s999_000",
    ]


def test_the_clean_variant_drops_trained_test_identities_and_says_so(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    whole, clean = load_manifest(tree), load_manifest(tree, layout="wmveid863@clean")
    trained = set(whole.split("train").identities)
    assert trained & set(whole.split("test").identities) == {"0406", "0451"}
    assert not trained & set(clean.split("test").identities)
    assert len(clean.split("train")) == len(whole.split("train"))
    assert clean.notes == ("left out: 2 test rows of 2 identities that are in train: 0406, 0451",)
    assert (clean.name, clean.layout) == ("WMVEID863@clean", "wmveid863@clean")
    assert clean.sha256 != whole.sha256


def test_the_gallery_may_be_called_gallery(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    before = ids(load_manifest(tree), "is_gallery")
    (tree / "test").rename(tree / "gallery")
    assert ids(load_manifest(tree), "is_gallery") == before


def test_market1501_mm_by_hand(tmp_path: Path) -> None:
    tree = skeletons.market1501_mm(tmp_path / "Market1501-MM")
    assert recognise(tree) == "market1501-mm"
    manifest = load_manifest(tree)
    assert ids(manifest, "is_query") == ["0001_c1s1_001051_00", "0003_c4s6_015641_00"]
    assert ids(manifest, "is_gallery") == [
        "0000_c4s6_038141_05",
        "0001_c1s1_001051_01",
        "0001_c2s1_000301_00",
        "0003_c6s4_002202_01",
    ]
    nobody = next(row for row in manifest.rows if row.observation.startswith("0000"))
    assert (nobody.identity, nobody.camera, nobody.is_query) == (None, "4", False)
    assert not any(row.observation.startswith("-1") for row in manifest.rows)
    assert "3 test images of identity -1" in manifest.notes[0]


@pytest.mark.parametrize(("tiles", "name"), [(3, "rgbnt100"), (2, "rgbn300")])
def test_strips_are_recognised_by_their_shape_and_cut(tmp_path: Path, tiles: int, name: str) -> None:
    tree = skeletons.strips(tmp_path / "strips", tiles=tiles)
    pixels = np.zeros((6, 12 * tiles, 3), dtype=np.uint8)
    for tile in range(tiles):
        pixels[:, 12 * tile : 12 * (tile + 1)] = 60 + 60 * tile
    strip = tree / "rgbir" / "bounding_box_test" / "0502_c0002_001.jpg"
    strip.unlink()
    Image.fromarray(pixels).save(strip, format="PNG")
    assert recognise(tree) == name
    manifest = load_manifest(tree)
    assert len(manifest.modalities) == tiles
    row = next(row for row in manifest.rows if row.observation == "0502_c0002_001")
    assert (row.identity, row.camera, row.is_query, row.is_gallery) == ("0502", "2", False, True)
    for tile, modality in enumerate(manifest.modalities):
        image = read_image(row.paths[modality], box=row.boxes[modality])
        assert image.shape == (6, 12, 3)
        assert (image == 60 + 60 * tile).all(), modality
    assert len(ids(manifest, "is_gallery")) == 8
    assert ids(manifest, "is_query") == [
        f"{person}_c000{camera}_000" for person in ("0502", "0504") for camera in (1, 2)
    ]


def test_strips_without_the_folder_rgbir(tmp_path: Path) -> None:
    tree = skeletons.strips(tmp_path / "strips", tiles=3)
    assert [r.observation for r in load_manifest(tree / "rgbir").rows] == [
        r.observation for r in load_manifest(tree).rows
    ]


@pytest.mark.parametrize("size", [(512, 128), (768, 256), (767, 128), (256, 128)])
def test_a_strip_of_another_size_names_the_file(tmp_path: Path, size: tuple[int, int]) -> None:
    tree = skeletons.strips(tmp_path / "strips", tiles=3)
    odd = tree / "rgbir" / "bounding_box_train" / "0503_c0001_001.jpg"
    odd.unlink()
    Image.new("RGB", size).save(odd, format="PNG")
    with pytest.raises(InputError, match=rf"0503_c0001_001\.jpg is {size[0]} x {size[1]} pixels") as caught:
        load_manifest(tree)
    assert "768 x 128" in str(caught.value)
    assert ("rgbn300" in str(caught.value)) == (size == (512, 128))


def test_an_unreadable_strip_is_met_where_it_is_read(tmp_path: Path) -> None:
    tree = skeletons.strips(tmp_path / "strips", tiles=3)
    bad = tree / "rgbir" / "bounding_box_train" / "0503_c0001_001.jpg"
    bad.unlink()
    bad.write_bytes(b"")
    row = next(row for row in load_manifest(tree).rows if row.observation == "0503_c0001_001")
    assert row.boxes == {"rgb": (0, 0, 256, 128), "nir": (256, 0, 512, 128), "tir": (512, 0, 768, 128)}


@pytest.mark.slow
def test_the_whole_rgbnt100(tmp_path: Path) -> None:
    manifest = load_manifest(skeletons.strips(tmp_path / "RGBNT100", tiles=3, whole=True))
    assert (len(manifest.split("train")), len(manifest.split("test"))) == (8675, 8575)
    assert len(ids(manifest, "is_query")) == 1715
    assert [len(manifest.split(name).identities) for name in ("train", "test")] == [50, 50]


TREES = {
    "msvr310": (skeletons.msvr310, "bounding_box_test", "bounding_box_tests"),
    "wmveid863": (skeletons.wmveid863, "query", "Query"),
    "market1501-mm": (skeletons.market1501_mm, "gallery", "galery"),
    "rgbnt100": (lambda root: skeletons.strips(root, tiles=3), "rgbir/query", "rgbir/queries"),
    "rgbn300": (lambda root: skeletons.strips(root, tiles=2), "rgbir/bounding_box_train", "rgbir/bbox_train"),
    "rgbnt201": (skeletons.rgbnt201, "train_171", "train"),
}


@pytest.mark.parametrize("name", sorted(TREES))
def test_renamed_and_half_copied_trees_say_expected_and_found(tmp_path: Path, name: str) -> None:
    make, folder, other = TREES[name]
    tree = make(tmp_path / "tree")
    os.rename(tree / folder, tree / other)
    with pytest.raises(InputError, match=f"not a whole {name} tree: no images in {folder}") as caught:
        load_manifest(tree, layout=name)
    assert f"rename {other} to {folder.rpartition('/')[2]}" in str(caught.value)
    assert "images)" in str(caught.value), "what was found"


def test_a_half_copied_modality_is_named(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "tree")
    for person in (tree / "query").iterdir():
        os.rename(person / "th", person / "tir")
    with pytest.raises(InputError, match="no images in query/<identity>/th; found"):
        load_manifest(tree)


def test_names_that_break_the_rule_of_a_tree(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "tree")
    inside = tree / "bounding_box_test" / "0002" / "ni"
    os.rename(inside / "0002_s002_v0_000.jpg", inside / "0002_s002_v9_000.jpg")
    with pytest.raises(
        InputError, match=r"0002_s002_v9_000\.jpg: the file name does not follow the msvr310 rule"
    ):
        load_manifest(tree)


def test_an_imported_tree_is_the_same_data(tmp_path: Path) -> None:
    for name, (make, _, _) in TREES.items():
        tree = load_manifest(make(tmp_path / name))
        write_manifest(tree, tmp_path / f"{name}.csv")
        table = load_manifest(tmp_path / f"{name}.csv")
        for before, after in zip(tree.rows, table.rows, strict=True):
            for what in ("observation", "paths", "boxes", "identity", "camera", "scene", "view", "split"):
                assert getattr(before, what) == getattr(after, what), (name, what)
            assert (before.is_query, before.is_gallery) == (after.is_query, after.is_gallery)
            assert dict(before.extra) == dict(after.extra)


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("rgbnt201", {"train_171": "Train171", "test": "Tests"}),
        ("msvr310", {"bounding_box_train": "bbox_train", "bounding_box_test": "bbox_test", "query3": "q"}),
        ("market1501-mm", {"train": "Train", "query": "Query", "gallery": "Gallery"}),
    ],
)
def test_a_tree_that_is_not_recognised_is_taken_for_its_likeness(
    tmp_path: Path, name: str, renamed: dict[str, str]
) -> None:
    """Whoever names no layout learns which one it looks like; naming that one tells the rest."""
    tree = TREES[name][0](tmp_path / "data")
    for folder, other in renamed.items():
        os.rename(tree / folder, tree / other)
    with pytest.raises(
        InputError, match=rf"is not a data set; it holds .*folders of a benchmark: {name}: "
    ) as told:
        load_manifest(tree)
    assert f"--layout {name} says what is missing" in str(told.value)
    with pytest.raises(InputError, match="if that is meant"):
        load_manifest(tree, layout=name)


def test_a_folder_that_resembles_nothing(tmp_path: Path) -> None:
    (tmp_path / "zzz" / "qqq").mkdir(parents=True)
    with pytest.raises(InputError, match=r"it holds qqq.*rgbnt201: .*llcm: .*folder: "):
        load_manifest(tmp_path / "zzz")
