"""Export and import: out come the files that went in, and the slots where the grammar wrote them."""

from dataclasses import replace
from pathlib import Path

import pytest
from caption_cases import slots_of, write_published

from nextreid.attributes import Grammar, load_schema
from nextreid.captions.caption_set import TEXT, is_caption_set, read_caption_set, write_caption_set
from nextreid.captions.interchange import export_captions, import_captions
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.errors import InputError

PERSON = load_schema("person")
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "captions"
MAN = {"age": "adult", "gender": "male", "upper": "coat", "glasses": "no glasses", "carrying": "backpack"}
ODD = [
    ("1.png", "An adult male seen from the front. He is carrying a {bag}.\\n He has 长 hair.  Two  blanks. "),
    ("2.png", ""),
    ("1.png", "A female child."),
    ("stranger.png", "A female child."),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "data.csv").write_text(
        "observation,kind,split,rgb,nir\na,person,test,x/1.png,y/1.png\nb,person,test,x/2.png,\n"
    )
    return load_manifest(tmp_path / "data.csv")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_published_files_come_back_byte_for_byte(tmp_path: Path, manifest: Manifest) -> None:
    folder = write_published(
        tmp_path / "odd", {"test_RGB": ODD, "test_NI": [("1.png", "The image appears clear.")]}
    )
    (folder / "LICENSE").write_text("not a caption file")
    found = import_captions(folder, manifest, PERSON, tmp_path / "set")
    assert is_caption_set(tmp_path / "set")
    export_captions(tmp_path / "set", tmp_path / "out")
    (folder / "LICENSE").unlink()
    assert contents(tmp_path / "out") == contents(folder)
    assert (found.items, found.joined) == (5, 3)
    assert found.strangers == (("test_RGB.json", "stranger.png"),)
    assert found.again == (("test_RGB.json", "1.png"),)
    assert found.covered < found.words
    held = read_caption_set(tmp_path / "set")
    assert held.table == found.captions.table
    assert held.table.values("a", "rgb") == {"age": "adult", "gender": "male", "viewpoint": "front"}
    assert held.table.values("a", "nir") == {"image_quality": "clear"}
    assert {slot.confidence for slot in held.table.rows} == {None}
    assert {slot.source_model for slot in held.table.rows} == {("imported:odd",)}


def test_a_set_of_our_own_survives_its_published_form(tmp_path: Path, manifest: Manifest) -> None:
    table = slots_of(PERSON, {("a", "rgb"): MAN, ("a", "nir"): {"upper": "dress"}, ("b", "rgb"): MAN})
    write_caption_set(tmp_path / "set", table, manifest.rows, PERSON, run={})
    files = export_captions(tmp_path / "set", tmp_path / "out")
    assert [file.name for file in files] == ["test_RGB.json", "test_NI.json"]
    back = import_captions(tmp_path / "out", manifest, PERSON, tmp_path / "back").captions
    same = [replace(slot, confidence=None, source_model=("imported:out",)) for slot in table.rows]
    assert list(back.table.rows) == same
    assert contents(tmp_path / "back" / TEXT) == contents(tmp_path / "set" / TEXT)


def test_only_what_is_wanted_is_exported(tmp_path: Path, manifest: Manifest) -> None:
    table = slots_of(PERSON, {("a", "rgb"): MAN})
    write_caption_set(tmp_path / "set", table, manifest.rows, PERSON, run={})
    export_captions(tmp_path / "set", tmp_path / "out", splits=["test"], modalities=["nir"])
    assert list(contents(tmp_path / "out")) == ["test_NI.json"]
    with pytest.raises(InputError, match=r"test_RGB\.json"):
        export_captions(tmp_path / "set", tmp_path / "new", splits=["train"])
    with pytest.raises(InputError, match="already holds test_NI"):
        export_captions(tmp_path / "set", tmp_path / "out")
    assert list(contents(tmp_path / "out")) == ["test_NI.json"]
    with pytest.raises(InputError, match="not a caption set"):
        export_captions(tmp_path / "out", tmp_path / "new")


def test_an_import_overwrites_nothing_and_needs_captions_of_the_data(
    tmp_path: Path, manifest: Manifest
) -> None:
    folder = write_published(tmp_path / "next", {"test_RGB": [("1.png", Grammar(PERSON).caption(MAN))]})
    other = write_published(tmp_path / "other", {"test_RGB": [("7.png", "A female child.")]})
    with pytest.raises(InputError, match="is there already"):
        import_captions(folder, manifest, PERSON, folder)
    with pytest.raises(InputError, match="no caption of an image"):
        import_captions(other, manifest, PERSON, tmp_path / "set")
    with pytest.raises(InputError, match="holds no captions"):
        import_captions(tmp_path / "nowhere", manifest, PERSON, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_value_among_another_groups_words_gets_a_sentence_of_its_own(
    tmp_path: Path, manifest: Manifest
) -> None:
    text = "She is wearing a dress, paired with long straight hair and not wearing glasses."
    folder = write_published(tmp_path / "next", {"test_RGB": [("1.png", text)]})
    table = import_captions(folder, manifest, PERSON, tmp_path / "set").captions.table
    grammar = Grammar(PERSON)
    for slot in table.rows:
        if slot.sentence not in text:
            group = {s.attribute: s.value for s in table.rows if s.group == slot.group}
            assert slot.sentence in [piece.text for piece in grammar.realise(table.values("a", "rgb"))], group
    assert table.values("a", "rgb")["gender"] == "female"


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published captions are not here")
def test_the_published_test_captions_come_back(tmp_path: Path) -> None:
    import json

    source = PUBLISHED / "next_rgbnt201"
    names = [entry["item"] for entry in json.loads((source / "test_NI.json").read_text())]
    lines = [f"{Path(name).stem},person,test,NI/{name}" for name in names]
    (tmp_path / "data.csv").write_text("\n".join(["observation,kind,split,nir", *lines]) + "\n")
    one = tmp_path / "next"
    one.mkdir()
    (one / "test_NI.json").write_bytes((source / "test_NI.json").read_bytes())
    found = import_captions(one, load_manifest(tmp_path / "data.csv"), PERSON, tmp_path / "set")
    assert found.joined == len(names) == 836
    assert found.covered / found.words > 0.95
    export_captions(tmp_path / "set", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(one)
