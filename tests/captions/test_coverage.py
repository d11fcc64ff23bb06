"""Captions that are missing for one modality, beside a data set."""

import json
from pathlib import Path

import pytest
from PIL import Image

from nextreid.captions.coverage import caption_findings
from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError

NAMES = {
    "train_171": ["000009_cam1_0_00", "000010_cam2_0_00"],
    "test": ["000258_cam1_0_00", "000258_cam2_0_01"],
}
FOLDERS = ("RGB", "NI", "TI")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two observations a split, all captioned."""
    root = tmp_path / "RGBNT201"
    (root / "text").mkdir(parents=True)
    for top, names in NAMES.items():
        for folder in FOLDERS:
            (root / top / folder).mkdir(parents=True)
            for name in names:
                Image.new("RGB", (2, 4)).save(root / top / folder / f"{name}.jpg")
            write(root, f"{top.removesuffix('_171')}_{folder}", dict.fromkeys(names, "A person."))
    return root


def write(root: Path, name: str, said: dict[str, str]) -> None:
    entries = [{"item": f"{item}.jpg", "description": text} for item, text in said.items()]
    (root / "text" / f"{name}.json").write_text(json.dumps(entries))


def test_nothing_is_missing(tree: Path) -> None:
    assert caption_findings(load_manifest(tree)) == ()


def test_images_without_a_caption_in_one_modality(tree: Path) -> None:
    write(tree, "test_NI", {"000258_cam1_0_00": "A person."})
    write(tree, "train_TI", {"000009_cam1_0_00": "A person.", "000010_cam2_0_00": "  "})
    first, second = caption_findings(load_manifest(tree))
    assert (first.rule, first.severity, first.modality) == ("captions-missing", "warning", "tir")
    assert first.observations == ("000010_cam2_0_00",)
    assert "train_TI.json has no caption for 1 of 2 tir images" in first.message
    assert (second.modality, second.observations) == ("nir", ("000258_cam2_0_01",))


def test_a_whole_file_that_is_missing(tree: Path) -> None:
    (tree / "text" / "train_RGB.json").unlink()
    (finding,) = caption_findings(load_manifest(tree))
    assert "no train_RGB.json: 2 rgb images of train have no words" in finding.message


def test_an_absent_image_needs_no_caption(tree: Path) -> None:
    (tree / "test" / "TI" / "000258_cam1_0_00.jpg").unlink()
    write(tree, "test_TI", {"000258_cam2_0_01": "A person."})
    assert caption_findings(load_manifest(tree)) == ()


def test_without_any_captions_there_is_nothing_to_say(tree: Path) -> None:
    for file in (tree / "text").iterdir():
        file.unlink()
    assert caption_findings(load_manifest(tree)) == ()


def test_a_broken_file_is_an_error(tree: Path) -> None:
    (tree / "text" / "test_RGB.json").write_text("{")
    with pytest.raises(InputError, match=r"test_RGB\.json is not JSON"):
        caption_findings(load_manifest(tree))
