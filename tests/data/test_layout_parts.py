"""Parts of a tree: one name with other images, names that break the rule, folders that nobody reads."""

import re
import shutil
from pathlib import Path

import pytest
import skeletons
from PIL import Image

from nextreid.data.layout_tree import Tree
from nextreid.data.layouts import LAYOUTS, recognise
from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError


def replaced(path: Path, size: tuple[int, int] = (5, 5)) -> Path:
    path.unlink()
    Image.new("RGB", size, (9, 9, 9)).save(path, format="PNG")
    return path


@pytest.mark.parametrize("folder", ["ni", "vis"])
def test_a_query_that_differs_from_the_gallery_is_a_row_of_its_own(tmp_path: Path, folder: str) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    before = load_manifest(tree)
    name = "0003_v0_n0_s999_000"
    other = replaced(tree / "query" / "0003" / folder / f"{name}.jpg")
    manifest = load_manifest(tree)
    rows = {row.observation: row for row in manifest.rows}
    assert len(manifest) == len(before) + 1
    assert (rows[name].is_query, rows[name].is_gallery) == (False, True)
    twin = rows[f"query/{name}"]
    assert (twin.is_query, twin.is_gallery, twin.identity, twin.view) == (True, False, "0003", "0")
    assert other in twin.paths.values()
    assert all("test" in path.relative_to(tree).parts for path in rows[name].paths.values())
    assert any("1 names of query lie in another test folder" in note for note in manifest.notes)
    assert manifest.sha256 != before.sha256


def test_a_link_that_leads_nowhere_is_met_where_it_is_read(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    file = tree / "query3" / "0002" / "th" / "0002_s002_v0_000.jpg"
    file.unlink()
    file.symlink_to(tmp_path / "nowhere.jpg")
    assert len(load_manifest(tree).split("test")) == 6


def test_a_strip_that_differs(tmp_path: Path) -> None:
    tree = skeletons.strips(tmp_path / "RGBNT100", tiles=3)
    other = replaced(tree / "rgbir" / "query" / "0502_c0001_000.jpg", (36, 6))
    rows = {row.observation: row for row in load_manifest(tree).rows}
    assert set(rows["query/0502_c0001_000"].paths.values()) == {other}
    assert rows["query/0502_c0001_000"].boxes["nir"] == (12, 0, 24, 6)


@pytest.mark.parametrize(
    "name", sorted(name for name, layout in LAYOUTS.items() if isinstance(layout.reader, Tree))
)
def test_the_example_of_a_name_follows_the_rule(name: str) -> None:
    layout = LAYOUTS[name]
    assert isinstance(layout.reader, Tree)
    stem = layout.names.partition(".jpg: ")[0]
    assert re.fullmatch(layout.reader.pattern, stem)


def test_a_wrong_name_is_answered_with_an_example(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    file = tree / "test" / "0003" / "vis" / "0003_v0_n0_s999_000.jpg"
    file.rename(file.with_name("0003-0.jpg"))
    with pytest.raises(InputError, match=r"names like 0002_v0_n9_s002_020\.jpg: identity, view") as caught:
        load_manifest(tree)
    assert "(?P<" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["0000.jpg", "zz.jpg"])
def test_a_wrong_name_among_strips_is_told_instead_of_no_data_set(tmp_path: Path, wrong: str) -> None:
    tree = skeletons.strips(tmp_path / "RGBNT100", tiles=3)
    for top in ("bounding_box_train", "bounding_box_test", "query"):
        folder = tree / "rgbir" / top
        shutil.copy(next(folder.iterdir()), folder / wrong)
    assert recognise(tree) == "rgbnt100"
    with pytest.raises(InputError, match=rf"{re.escape(wrong)}: the file name does not follow the rgbnt100"):
        load_manifest(tree)


def test_queries_in_a_folder_of_another_name_are_told(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    assert load_manifest(tree).notes == ()
    (tree / "query3").rename(tree / "query")
    assert load_manifest(tree).notes == (
        "the folder query is not read; its name in the release is query3. The benchmark's rule says which "
        "rows are queries",
    )


def test_a_folder_that_is_no_modality_is_told(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    (tree / "bounding_box_test" / "0002" / "th").rename(tree / "bounding_box_test" / "0002" / "thermal")
    (note,) = load_manifest(tree).notes
    assert note == (
        "folders that are no modality (vis, ni, th) are not read: bounding_box_test/<identity>/thermal (1)"
    )
    for person in (tree / "bounding_box_test").iterdir():
        if (person / "th").is_dir():
            (person / "th").rename(person / "thermal")
    with pytest.raises(InputError, match=r"bounding_box_test/<identity>/thermal \(3\), not read"):
        load_manifest(tree)
    plain = skeletons.rgbnt201(tmp_path / "RGBNT201")
    (plain / "test" / "TI").rename(plain / "test" / "thermal")
    with pytest.raises(InputError, match=r"test/thermal \(1\), not read"):
        load_manifest(plain)
