"""Any folder per identity: both orders of levels, splits, cameras in names, and what is refused."""

from pathlib import Path

import pytest
from PIL import Image
from skeletons import Planter

from nextreid.data.layouts import recognise
from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError


def planted(root: Path, *names: str) -> Path:
    plant = Planter(root)
    for name in names:
        plant.image(name)
    return root


def read(root: Path) -> list[tuple[str, str, str | None, tuple[str, ...], bool, bool]]:
    return [
        (row.observation, row.split, row.camera, tuple(sorted(row.paths)), row.is_query, row.is_gallery)
        for row in load_manifest(root, layout="folder").rows
    ]


IDENTITY_FIRST = ("ann/rgb/1.jpg", "ann/thermal/1.png", "ann/rgb/2.jpg", "bob/vis/1.jpg", "bob/NIR/1.jpg")
MODALITY_FIRST = ("rgb/ann/1.jpg", "thermal/ann/1.png", "rgb/ann/2.jpg", "rgb/bob/1.jpg", "NIR/bob/1.jpg")


@pytest.mark.parametrize("names", [IDENTITY_FIRST, MODALITY_FIRST])
def test_either_order_of_identity_and_modality(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = planted(tmp_path / "mine", *names)
    assert recognise(root) is None, "it is read only where it is named"
    assert read(root) == [
        ("ann/1", "test", None, ("rgb", "tir"), True, True),
        ("ann/2", "test", None, ("rgb",), True, True),
        ("bob/1", "test", None, ("nir", "rgb"), True, True),
    ]
    assert load_manifest(root, layout="folder").identities == ("ann", "bob")


def test_images_straight_in_the_identity_are_rgb(tmp_path: Path) -> None:
    assert [row[3] for row in read(planted(tmp_path / "mine", "ann/1.jpg", "bob/1.jpg"))] == [("rgb",)] * 2


def test_splits(tmp_path: Path) -> None:
    root = planted(tmp_path / "mine", "train/ann/1.jpg", "test/bob/1.jpg")
    assert read(root) == [
        ("ann/1", "train", None, ("rgb",), False, False),
        ("bob/1", "test", None, ("rgb",), True, True),
    ]


def test_query_and_gallery_folders(tmp_path: Path) -> None:
    root = planted(
        tmp_path / "mine",
        "query/rgb/bob/1.jpg",
        "query/rgb/bob/2.jpg",
        "gallery/rgb/bob/2.jpg",
        "gallery/nir/bob/2.jpg",
        "gallery/rgb/cid/1.jpg",
    )
    assert read(root) == [
        ("bob/1", "test", None, ("rgb",), True, False),
        ("bob/2", "test", None, ("nir", "rgb"), True, True),
        ("cid/1", "test", None, ("rgb",), False, True),
    ]


def test_other_images_of_the_same_name_are_rows_of_their_own(tmp_path: Path) -> None:
    """Numbered pictures of an identity, 1.jpg in query and another 1.jpg in gallery."""
    root = planted(
        tmp_path / "mine", "query/ann/1.jpg", "query/ann/2.jpg", "gallery/ann/1.jpg", "gallery/ann/2.jpg"
    )
    (root / "query" / "ann" / "1.jpg").unlink()
    Image.new("RGB", (5, 5)).save(root / "query" / "ann" / "1.jpg")
    rows = {row.observation: row for row in load_manifest(root, layout="folder").rows}
    assert {name: (row.is_query, row.is_gallery) for name, row in rows.items()} == {
        "ann/1": (False, True),
        "ann/2": (True, True),
        "query/ann/1": (True, False),
    }
    assert rows["query/ann/1"].paths["rgb"] == root / "query" / "ann" / "1.jpg"
    assert rows["query/ann/1"].identity == "ann"
    assert rows["ann/2"].paths["rgb"] == root / "gallery" / "ann" / "2.jpg"
    assert load_manifest(root, layout="folder").notes == (
        "1 names of query lie in another test folder, too, with other images: they are rows of their own, "
        "called query/<name>; first query/ann/1",
    )


def test_a_query_of_another_modality_is_no_part_of_the_gallery_row(tmp_path: Path) -> None:
    root = planted(tmp_path / "mine", "query/rgb/ann/1.jpg", "gallery/nir/ann/1.jpg")
    assert read(root) == [
        ("ann/1", "test", None, ("nir",), False, True),
        ("query/ann/1", "test", None, ("rgb",), True, False),
    ]


def test_a_test_folder_beside_queries_is_the_gallery(tmp_path: Path) -> None:
    root = planted(tmp_path / "mine", "query/bob/1.jpg", "test/bob/2.jpg")
    assert [(row[0], row[4], row[5]) for row in read(root)] == [
        ("bob/1", True, False),
        ("bob/2", False, True),
    ]


@pytest.mark.parametrize(
    ("names", "cameras"),
    [
        (("0001_c2_07", "0001_c3_08"), ["2", "3"]),
        (("0001_cam02_07", "0001_camera11"), ["2", "11"]),
        (("0001_c1s1_000451_03", "c4-x"), ["1", "4"]),
        (("0001_c2_07", "0001_08"), [None, None]),
        (("abc2_1", "vic3_2"), [None, None]),
    ],
)
def test_cameras_of_names(tmp_path: Path, names: tuple[str, str], cameras: list[str | None]) -> None:
    root = planted(tmp_path / "mine", *(f"ann/{name}.jpg" for name in names))
    assert [row.camera for row in load_manifest(root, layout="folder").rows] == cameras or sorted(
        str(row.camera) for row in load_manifest(root, layout="folder").rows
    ) == sorted(map(str, cameras))


def test_the_first_name_without_a_camera_is_told(tmp_path: Path) -> None:
    root = planted(tmp_path / "mine", "ann/1_c2_07.jpg", "ann/1_08.jpg", "bob/x.jpg")
    assert load_manifest(root, layout="folder").notes == (
        "no camera is read, since 2 of 3 names say none (as in 0001_c2_07.jpg): first ann/1_08.jpg",
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("train/ann/1.jpg", "bob/1.jpg"), "holds the splits train beside bob"),
        (("ann/depth/1.jpg", "ann/rgb/1.jpg"), "holds the folder depth, which is no modality"),
        (("train/ann/1.jpg", "test/ann/1.jpg"), "ann/1 lies in train and in a folder of the test split"),
        (("query/ann/1.jpg",), "holds queries but no gallery"),
        (("ann/rgb/1.jpg", "ann/vis/1.jpg"), "are the same modality"),
        (("ann/1.jpg", "ann/1.png"), "holds 1.jpg and 1.png"),
        (("1.jpg",), "holds no images in folders of identities; found 1.jpg"),
    ],
)
def test_what_is_refused(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        load_manifest(planted(tmp_path / "mine", *names), layout="folder")
