"""What an audit reads: folders of any subset of files, caption sets, names that stay apart."""

from pathlib import Path

import pytest
from caption_cases import slots_of, write_published

from nextreid.attributes import Grammar, load_schema
from nextreid.captions.audit_sets import read_sets, read_texts, recognised_schema, unique_names
from nextreid.captions.audit_truth import Said
from nextreid.captions.caption_set import write_caption_set
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.errors import InputError

PERSON, VEHICLE = load_schema("person"), load_schema("vehicle")
CAR = {"colour": "red", "type": "sedan", "viewpoint": "front", "window_tint": "tinted", "bumpers": "intact"}
MAN = {"age": "adult", "gender": "male", "upper": "coat", "upper_colour": "red", "carrying": "backpack"}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "data.csv").write_text(
        "observation,kind,split,rgb,tir\n"
        "a,person,test,x/1.png,y/1.png\n"
        "b,person,test,x/2.png,\n"
        "c,person,train,x/1.png,y/9.png\n"
    )
    return load_manifest(tmp_path / "data.csv")


def test_names_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    def names(*paths: str) -> tuple[str, ...]:
        return unique_names([tmp_path / path for path in paths])

    assert names("next", "idea") == ("next", "idea")
    assert names("a/next", "b/next") == ("a/next", "b/next")
    assert names("world/text", "next") == ("world/text", "next")
    assert names("next", "next") == names("next", "next")
    assert len(set(names("next", "next"))) == 2
    assert names("rule")[0] != "rule"  # a key of audit.json that is no set
    assert names("a/b/x", "c/b/x", "x") == ("a/b/x", "c/b/x", f"{tmp_path.name}/x")


def test_any_subset_of_files_is_read(tmp_path: Path) -> None:
    folder = write_published(
        tmp_path / "next",
        {"test_TI": [("1.png", "The image appears clear.")], "train_RGB": [("1.png", ""), ("2.png", "x")]},
    )
    (folder / "test_results.json").write_text('{"mAP": 1}')  # somebody else's
    (folder / "LICENSE").write_text("MIT")
    write_published(folder, {"test_depth": [("1.png", "The image appears blurry.")]})
    texts = read_texts(folder)
    assert list(texts) == [("train", "rgb"), ("test", "tir"), ("test", "depth")]
    assert texts["train", "rgb"] == (("1.png", ""), ("2.png", "x"))
    (audited,) = read_sets([folder])
    assert audited.modalities == ("rgb", "tir", "depth")
    assert audited.stated["test/1.png", "tir"] == {"image_quality": Said("clear")}
    assert audited.stated["train/1.png", "rgb"] == {}
    assert not audited.joined


def test_a_damaged_file_of_a_published_name_is_an_error(tmp_path: Path) -> None:
    folder = write_published(tmp_path / "next", {})
    (folder / "test_RGB.json").write_text('{"mAP": 1}')
    with pytest.raises(InputError, match=r"test_RGB\.json"):
        read_sets([folder])
    with pytest.raises(InputError, match="holds no captions"):
        read_sets([write_published(tmp_path / "empty", {})])
    with pytest.raises(InputError, match="holds no captions"):
        read_sets([tmp_path / "nowhere"])


def test_the_schema_is_recognised() -> None:
    def texts(*captions: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
        return {("test", "rgb"): [(f"{number}.jpg", text) for number, text in enumerate(captions)]}

    assert recognised_schema(texts(Grammar(VEHICLE).caption(CAR))) is not None
    found = recognised_schema(texts(Grammar(VEHICLE).caption(CAR)))
    assert found is not None
    assert found.kind == "vehicle"
    found = recognised_schema(texts("", Grammar(PERSON).caption(MAN)))
    assert found is not None
    assert found.kind == "person"
    assert recognised_schema(texts("Colourless green ideas sleep furiously.")) is None
    assert recognised_schema(texts("", "")) is None
    assert recognised_schema({}) is None


def test_captions_are_joined_to_a_data_set(tmp_path: Path, manifest: Manifest) -> None:
    text = Grammar(PERSON).caption(MAN)
    folder = write_published(
        tmp_path / "next",
        {
            "test_RGB": [("1.png", text), ("2.png", ""), ("7.png", text)],
            "train_TI": [("9.png", text), ("9.png", "")],
        },
    )
    (audited,) = read_sets([folder], manifest=manifest)
    assert audited.joined
    assert audited.strangers == 1
    assert set(audited.stated) == {("a", "rgb"), ("b", "rgb"), ("c", "tir")}
    assert audited.stated["a", "rgb"] == {name: Said(value) for name, value in MAN.items()}
    assert audited.stated["b", "rgb"] == {}
    assert audited.stated["c", "tir"] == audited.stated["a", "rgb"]  # of two, the first counts
    assert audited.words is not None
    assert audited.words.recovered == audited.words.total == 2 * len(text.split())


def test_a_caption_set_brings_schema_and_confidences(tmp_path: Path, manifest: Manifest) -> None:
    captions = {("a", "rgb"): MAN, ("a", "tir"): {"gender": "male"}}
    rows = [row for row in manifest.rows if row.split == "test"]
    write_caption_set(tmp_path / "set", slots_of(PERSON, captions, confidence=0.7), rows, PERSON, run={})
    (alone,) = read_sets([tmp_path / "set"])
    assert alone.form == "caption set"
    assert alone.schema == PERSON
    assert alone.stated["a", "tir"] == {"gender": Said("male", 0.7)}
    assert alone.words is None
    (joined,) = read_sets([tmp_path / "set"], manifest=manifest)
    assert joined.stated["b", "rgb"] == {}  # it says nothing of b, and that counts as missing
    assert joined.strangers == 0
