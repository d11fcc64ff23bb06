import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from caption_cases import slots_of

from nextreid.attributes.schema import load_schema
from nextreid.captions.caption_set import (
    is_caption_set,
    published_files,
    read_caption_set,
    write_caption_set,
    write_run,
)
from nextreid.captions.table import CaptionTable, write_table
from nextreid.data.rows import Row
from nextreid.errors import InputError

PERSON = load_schema("person")
ROWS = (
    Row(2, "m", "b", {"rgb": Path("/d/x/1.png"), "nir": Path("/d/n/1.png")}, split="train"),
    Row(3, "m", "a", {"rgb": Path("/d/x/2.png"), "tir": Path("/d/t/2.png")}, split="test"),
)
SAID = {("b", "rgb"): {"gender": "male", "upper": "coat"}, ("b", "nir"): {"gender": "male"}, ("a", "tir"): {}}


def write(folder: Path) -> CaptionTable:
    table = slots_of(PERSON, SAID)
    write_caption_set(folder, table, ROWS, PERSON, run={"method": "merge", "models": {"m": {"n": 1}}})
    return table


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = write(tmp_path / "C")
    held = read_caption_set(tmp_path / "C")
    assert held.table == table
    assert held.schema == PERSON
    assert held.run == {"method": "merge", "models": {"m": {"n": 1}}}
    assert is_caption_set(tmp_path / "C")


def test_texts_have_the_published_form_with_an_entry_for_every_image(tmp_path: Path) -> None:
    table = write(tmp_path / "C")
    texts = {path.name: json.loads(path.read_text()) for path in (tmp_path / "C" / "text").iterdir()}
    assert texts == {
        "train_RGB.json": [{"item": "1.png", "description": table.caption("b", "rgb")}],
        "train_NI.json": [{"item": "1.png", "description": table.caption("b", "nir")}],
        "test_RGB.json": [{"item": "2.png", "description": ""}],
        "test_TI.json": [{"item": "2.png", "description": ""}],
    }
    assert texts["train_NI.json"][0]["description"] == "A male person."


def test_modalities_not_described_have_no_file(tmp_path: Path) -> None:
    assert list(published_files(slots_of(PERSON, SAID), ROWS, modalities=["nir"])) == ["train_NI.json"]


def test_images_of_one_name_are_told_apart_by_their_path() -> None:
    rows = [
        Row(number, "m", f"o{number}", {"rgb": Path(f"/data/cam{number % 2}/{name}.jpg")})
        for number, name in enumerate(["1", "1", "2"])
    ]
    files = published_files(CaptionTable(()), rows, root=Path("/data"))
    assert [entry["item"] for entry in files["test_RGB.json"]] == ["cam0/1.jpg", "cam1/1.jpg", "2.jpg"]


def test_files_of_an_earlier_writing_are_gone_and_answers_stay(tmp_path: Path) -> None:
    write(tmp_path / "C")
    (tmp_path / "C" / "answers.jsonl").write_text("{}\n")
    write_caption_set(tmp_path / "C", slots_of(PERSON, SAID), ROWS[:1], PERSON, run={})
    assert sorted(path.name for path in (tmp_path / "C" / "text").iterdir()) == [
        "train_NI.json",
        "train_RGB.json",
    ]
    assert (tmp_path / "C" / "answers.jsonl").read_text() == "{}\n"


def test_what_is_no_caption_set_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "C"
    with pytest.raises(InputError, match="not a caption set"):
        read_caption_set(folder)
    write(folder)
    (folder / "run.yaml").write_text("format: something/2\n")
    with pytest.raises(InputError, match="something/2"):
        read_caption_set(folder)
    (folder / "run.yaml").write_text("format: [\n")
    with pytest.raises(InputError, match="not valid YAML"):
        read_caption_set(folder)


def test_slots_that_are_not_in_the_schema_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, PERSON, {})
    slot = slots_of(PERSON, SAID).rows[0]
    for strange, names in (
        (replace(slot, value="<b>male</b>"), "gender is '<b>male</b>'"),
        (replace(slot, attribute="mood"), "row 1: 'mood'"),
        (replace(slot, group="hair"), "row 1: 'gender' in the group 'hair'"),
    ):
        write_table(CaptionTable((strange,)), tmp_path / "captions.parquet")
        with pytest.raises(InputError, match=names):
            read_caption_set(tmp_path)


def test_the_schema_travels_with_the_set(tmp_path: Path) -> None:
    values = PERSON.to_dict()
    values["kind"] = "statue"
    schema = type(PERSON).from_dict(values)
    write_caption_set(tmp_path, CaptionTable(()), ROWS, schema, run={})
    assert read_caption_set(tmp_path).schema == schema
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["schema"]["kind"] == "statue"
