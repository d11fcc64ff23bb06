"""Published captions: joined by file name, cut by group, and everything odd is listed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nextreid.attributes import load_schema
from nextreid.captions.published import CaptionStore, cleaned, find_captions, read_items, read_published
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.errors import InputError
from nextreid.observation import Sentence

CAPTIONS = Path(__file__).parents[3] / "shared" / "data" / "captions"
PERSON = load_schema("person")
LONG = "A male child seen from the back in dim lighting. He is wearing a coat. The image appears clear."


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "m.csv").write_text(
        "observation,split,rgb,nir\n"
        "first,train,x/a.jpg,y/a.jpg\n"
        "second,train,x/b.jpg,\n"
        "third,test,x/a.jpg,y/c.jpg\n"
        "fourth,test,x/d.jpg,\n"
    )
    return load_manifest(tmp_path / "m.csv")


def write(folder: Path, **files: Any) -> Path:
    text = folder / "text"
    text.mkdir(exist_ok=True)
    for name, entries in files.items():
        items = [{"item": item, "description": said} for item, said in entries]
        (text / f"{name}.json").write_text(json.dumps(items, ensure_ascii=False))
    return text


def reasons(store: CaptionStore) -> list[tuple[str, str, bool]]:
    return [(odd.item, odd.reason, odd.used) for odd in store.odd]


def test_captions_are_joined_by_split_modality_and_file_name(tmp_path: Path, manifest: Manifest) -> None:
    folder = write(
        tmp_path,
        train_RGB=[("a.jpg", LONG)],
        train_NI=[("a.jpg", "He is wearing a hoodie.")],
        test_RGB=[("a.jpg", "She is wearing a dress."), ("d.jpg", "The image appears blurry.")],
    )
    assert find_captions(manifest) == folder
    store = read_published(folder, manifest, PERSON)
    rgb, nir = frozenset({"rgb"}), frozenset({"nir"})
    assert store.sentences("first") == (
        Sentence("who", "A male child seen from the back.", evidence=rgb),
        Sentence("light", "In dim lighting.", evidence=rgb),
        Sentence("clothing", "He is wearing a coat.", evidence=rgb),
        Sentence("quality", "The image appears clear.", evidence=rgb),
        Sentence("clothing", "He is wearing a hoodie.", evidence=nir),
    )
    assert [s.text for s in store.sentences("third")] == ["She is wearing a dress."]
    assert store.sentences("second") == ()
    assert store.sentences("nobody") == ()
    assert store.found == {"train": {"rgb": 1, "nir": 1}, "test": {"rgb": 2}}
    assert [(c.file, c.items, c.found, c.expected) for c in store.counts] == [
        ("train_RGB.json", 1, 1, 2),
        ("train_NI.json", 1, 1, 1),
        ("test_RGB.json", 2, 2, 2),
    ]
    assert store.missing == ("test_NI.json",)
    assert store.unmatched == ("second",)
    assert store.odd == ()


def test_an_observation_gets_only_words_of_images_it_has(tmp_path: Path, manifest: Manifest) -> None:
    folder = write(tmp_path, train_RGB=[("a.jpg", LONG)], train_NI=[("a.jpg", "He is wearing a hoodie.")])
    store = read_published(folder, manifest, PERSON)
    row = manifest.rows[0]
    assert len(store.observation(row).captions) == 5
    without = {"nir": row.paths["nir"]}
    (only,) = store.observation(replace(row, paths=without)).captions
    assert only.evidence == {"nir"}


def test_splits_the_data_does_not_hold_are_not_read(tmp_path: Path, manifest: Manifest) -> None:
    folder = write(tmp_path, train_RGB=[("a.jpg", LONG)], test_RGB=[("a.jpg", LONG)])
    store = read_published(folder, manifest.split("train"), PERSON)
    assert [c.file for c in store.counts] == ["train_RGB.json"]
    assert store.odd == ()


def test_everything_odd_is_listed(tmp_path: Path, manifest: Manifest) -> None:
    folder = write(
        tmp_path,
        train_RGB=[
            ("a.jpg", "He\\n is wearing\\n a coat. He is carrying a {small_bag}. The image appears clear."),
            ("a.jpg", "She is wearing a coat."),
            ("z.jpg", LONG),
            ("b.jpg", "  "),
        ],
        test_RGB=[
            ("a.jpg", "The 女 is wearing a coat. He is carrying a bag. Zebras gallop."),
            ("d.jpg", "{gender} is wearing {upper_garment."),
        ],
        test_NI=[("c.jpg", "He is wearing a tuque à pompon.")],
    )
    store = read_published(folder, manifest, PERSON)
    assert reasons(store) == [
        ("a.jpg", "literal line break", True),
        ("a.jpg", "unfilled slot", True),
        ("a.jpg", "duplicate", False),
        ("z.jpg", "unknown item", False),
        ("b.jpg", "empty", False),
        ("a.jpg", "other language", True),
        ("a.jpg", "words of no group", True),
        ("d.jpg", "unfilled slot", False),
    ]
    assert [s.text for s in store.sentences("first")] == ["He is wearing a coat.", "The image appears clear."]
    assert [s.text for s in store.sentences("third")] == [
        "He is carrying a bag.",
        "He is wearing a tuque à pompon.",  # Latin letters with accents are no other language
    ]
    assert store.unmatched == ("second", "fourth")
    assert store.found == {"train": {"rgb": 1}, "test": {"rgb": 1, "nir": 1}}


def test_a_file_name_that_two_observations_share_is_joined_to_none(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("observation,rgb\na,1/x.jpg\nb,2/x.jpg\n")
    folder = write(tmp_path, test_RGB=[("x.jpg", LONG)])
    store = read_published(folder, load_manifest(tmp_path / "m.csv"), PERSON)
    assert reasons(store) == [("x.jpg", "ambiguous item", False)]
    assert store.unmatched == ("a", "b")


def test_observations_that_share_a_file_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("observation,rgb\na,1/x.jpg\nb,2/x.jpg\nc,2/y.jpg\n")
    folder = write(
        tmp_path, test_RGB=[("2/x.jpg", LONG), ("1/x.jpg", "He is wearing a hoodie."), ("y.jpg", LONG)]
    )
    store = read_published(folder, load_manifest(tmp_path / "m.csv"), PERSON)
    assert store.odd == ()
    assert [said.text for said in store.sentences("a")] == ["He is wearing a hoodie."]
    assert len(store.sentences("b")) == len(store.sentences("c")) == 4


def test_modalities_of_ones_own_have_files_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("observation,depth\na,x.png\n")
    folder = write(tmp_path, test_depth=[("x.png", LONG)])
    store = read_published(folder, load_manifest(tmp_path / "m.csv"), PERSON)
    assert store.found == {"test": {"depth": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[{", "is not JSON"),
        (b"\xff\xff", "is not JSON"),
        (b'{"a.jpg": "x"}', "holds dict"),
        (b'[{"item": "a.jpg", "description": "x"}, {"item": "b.jpg"}]', "entry 2"),
        (b'[{"item": 3, "description": "x"}]', "entry 1"),
        (b'["x"]', "entry 1"),
    ],
)
def test_files_of_another_form(tmp_path: Path, manifest: Manifest, content: bytes, message: str) -> None:
    folder = write(tmp_path)
    (folder / "train_RGB.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"train_RGB\.json.*{message}.*item"):
        read_published(folder, manifest, PERSON)


def test_no_captions(tmp_path: Path, manifest: Manifest) -> None:
    assert find_captions(manifest) is None
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "other.json").touch()
    assert find_captions(manifest) is None
    with pytest.raises(InputError, match=r"found other\.json.*train_RGB\.json, train_NI\.json, test_RGB"):
        read_published(tmp_path / "text", manifest, PERSON)
    with pytest.raises(InputError, match="found nothing"):
        read_published(tmp_path / "none", manifest, PERSON)


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="published captions are not beside the repository")
def test_published_captions_of_a_test_split(tmp_path: Path) -> None:
    names = [e["item"] for e in json.loads((CAPTIONS / "next_rgbnt201" / "test_RGB.json").read_text())]
    for folder in ("RGB", "NI", "TI"):
        for top, held in (("train_171", ["000001_cam1_0_00.jpg"]), ("test", names)):
            (tmp_path / top / folder).mkdir(parents=True)
            for name in held:
                (tmp_path / top / folder / name).touch()
    manifest = load_manifest(tmp_path).split("test")
    store = read_published(CAPTIONS / "next_rgbnt201", manifest, PERSON)
    assert store.found == {"test": {"rgb": 836, "nir": 836, "tir": 836}}
    assert store.unmatched == ()
    unfilled = [odd for odd in store.odd if odd.reason != "words of no group"]
    assert {(odd.file, odd.item, odd.reason) for odd in unfilled} == {
        ("test_RGB.json", "000291_cam2_0_04.jpg", "unfilled slot")  # seen from the [view]
    }
    thermal = {
        s.group for row in manifest.rows for s in store.sentences(row.observation) if s.evidence == {"tir"}
    }
    assert "light" not in thermal, "thermal captions say nothing about light"
    idea = read_published(CAPTIONS / "idea_rgbnt201", manifest, PERSON)
    assert {odd.reason for odd in idea.odd} >= {"unfilled slot", "words of no group"}


@pytest.mark.parametrize(
    ("text", "kept", "reasons"),
    [
        ("She is wearing a coat. The image appears clear.", None, []),
        (
            "She is wearing a [colour] coat. The image appears clear.",
            "The image appears clear.",
            ["unfilled slot"],
        ),
        ("She is {verb} a coat", "", ["unfilled slot"]),
        (" \n ", "", ["empty"]),
        ("", "", ["empty"]),
        ("She is\\na lady.", "She is a lady.", ["literal line break"]),
        ("她很高。 She is tall.", "She is tall.", ["other language"]),
        ("Unbalanced [ and ] } are words.", "", ["unfilled slot"]),
        ("A lone ] or } is a word.", None, []),
    ],
)
def test_what_is_odd_about_a_text(text: str, kept: str | None, reasons: list[str]) -> None:
    used, faults = cleaned(text)
    assert used == (text if kept is None else kept)
    assert [reason for reason, _ in faults] == reasons


def test_entries_are_read_as_they_stand(tmp_path: Path) -> None:
    folder = write(tmp_path, test_RGB=[("a.jpg", " two  spaces\n"), ("a.jpg", ""), ("b.jpg", "\u0000é")])
    assert read_items(folder / "test_RGB.json") == [
        ("a.jpg", " two  spaces\n"),
        ("a.jpg", ""),
        ("b.jpg", "\u0000é"),
    ]
