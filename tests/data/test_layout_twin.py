"""Trees with random files lost, read twice: by the layouts, and by a slow walk that shares no code."""

import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skeletons

from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError

NAMED = {"RGB": "rgb", "vis": "rgb", "NI": "nir", "ni": "nir", "TI": "tir", "th": "tir"}
TRAIN = {"train_171", "train", "bounding_box_train"}
GALLERY = {"test", "gallery", "bounding_box_test"}


def walked(tree: Path) -> dict[tuple[str, str], dict[str, set[str]]]:
    """(split, file name) -> modality -> the top folders that hold it."""
    found: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for folder, _, files in os.walk(tree):
        parts = Path(folder).relative_to(tree).parts
        for name in files:
            split = "train" if parts[0] in TRAIN else "test"
            found[split, name.split(".")[0]][NAMED[parts[-1]]].add(parts[0])
    return found


@pytest.mark.parametrize(
    "make", [skeletons.rgbnt201, skeletons.msvr310, skeletons.wmveid863, skeletons.market1501_mm]
)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_the_rest_is_paired_by_name(
    tmp_path: Path, make: Callable[[Path], Path], seed: int
) -> None:
    tree = make(tmp_path / "tree")
    rng = np.random.default_rng(seed)
    files = sorted(path for path in tree.rglob("*.jpg"))
    kept: dict[tuple[str, str], int] = defaultdict(int)  # (top folder, modality folder) -> images left
    for path in files:
        kept[path.relative_to(tree).parts[0], path.parent.name] += 1
    for path in files:
        place = (path.relative_to(tree).parts[0], path.parent.name)
        if rng.random() < 0.25 and kept[place] > 1:  # an empty folder would be an error
            path.unlink()
            kept[place] -= 1
    twin = {
        key: held
        for key, held in walked(tree).items()
        if not key[1].startswith("-1")  # Market-1501's junk
    }
    manifest = load_manifest(tree)
    assert len(manifest) == len(twin)
    for row in manifest.rows:
        held = twin[row.split, row.observation.removeprefix("test/")]
        assert set(row.paths) == set(held), row.observation
        for modality, path in row.paths.items():
            parts = path.relative_to(tree).parts
            assert path.is_file()
            assert NAMED[path.parent.name] == modality
            assert path.stem == row.observation.removeprefix("test/")
            assert parts[0] in held[modality]
        tops = set().union(*held.values())
        if make is not skeletons.rgbnt201:
            queried = bool(tops & {"query", "query3"}) and not row.observation.startswith("0000_")
            assert (row.is_query, row.is_gallery) == (queried, bool(tops & GALLERY) and row.split == "test")
        assert row.identity == (
            None if row.observation.startswith("0000_") else re.search(r"\d+", row.observation)[0]
        )


def test_images_in_another_identitys_folder_are_told(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    source = tree / "bounding_box_test" / "0003" / "vis" / "0003_s000_v5_001.jpg"
    os.rename(source, tree / "bounding_box_test" / "0005" / "vis" / source.name)
    manifest = load_manifest(tree)
    row = next(row for row in manifest.rows if row.observation == source.stem)
    assert (row.identity, len(row.paths)) == ("0003", 3)
    assert manifest.notes == (
        "1 images lie in another identity's folder; the name counts: first 0005/vis/0003_s000_v5_001.jpg",
    )


def test_one_name_in_two_identities_folders_is_an_error(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    source = tree / "bounding_box_test" / "0003" / "vis" / "0003_s000_v5_001.jpg"
    os.link(source, tree / "bounding_box_test" / "0005" / "vis" / source.name)
    with pytest.raises(InputError, match=r"0003/vis/0003_s000_v5_001\.jpg and .*0005/vis/.* have one name"):
        load_manifest(tree)
