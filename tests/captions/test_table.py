from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from nextreid.captions.slots import COLUMNS, UNFILLED, Slot
from nextreid.captions.table import CaptionTable, read_table, write_table
from nextreid.errors import InputError

GENDER = Slot(
    "ö/1 \t", "rgb", "who", "gender", "male", 1 / 3, ("rgb", "nir"), ("a,b", "ü"), "A male\nperson."
)
AGE = Slot("ö/1 \t", "rgb", "who", "age", "adult", None, ("rgb",), ("ü",), "A male\nperson.")
HAIR = Slot("ö/1 \t", "rgb", "hair", "hair_length", UNFILLED, 0.0, ("rgb",), ("ü",), "Unknown hair.")
OTHER = Slot("a", "tir", "who", "gender", "female", 1.0, (), (), "A female person.")
ROWS = (GENDER, AGE, HAIR, OTHER)


def test_what_is_written_is_read_exactly_and_the_same_bytes_again(tmp_path: Path) -> None:
    write_table(CaptionTable(ROWS), tmp_path / "one.parquet")
    table = read_table(tmp_path / "one.parquet")
    assert table.rows == ROWS
    write_table(table, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_others_read_it_with_the_promised_columns(tmp_path: Path) -> None:
    write_table(CaptionTable(ROWS), tmp_path / "captions.parquet")
    frame = pd.read_parquet(tmp_path / "captions.parquet")
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["source_modality"][0]) == ["rgb", "nir"]
    assert frame["confidence"].isna().tolist() == [False, True, False, False]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    write_table(CaptionTable(()), tmp_path / "captions.parquet")
    assert read_table(tmp_path / "captions.parquet") == CaptionTable(())


def test_captions_are_the_sentences_once_each_in_order() -> None:
    table = CaptionTable(ROWS)
    assert table.caption("ö/1 \t", "rgb") == "A male\nperson. Unknown hair."
    assert table.values("ö/1 \t", "rgb") == {"gender": "male", "age": "adult"}
    assert table.caption("nobody", "rgb") == ""
    assert table.slots == (GENDER, AGE, OTHER)
    assert table.unfilled == (HAIR,)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ((GENDER, replace(GENDER, value="female")), "row 2.*second value"),
        ((replace(GENDER, confidence=1.7),), "row 1.*1.7"),
        ((replace(GENDER, confidence=float("nan")),), "row 1.*nan"),
        ((replace(GENDER, sentence=" "),), "row 1.*without a sentence"),
        ((GENDER, replace(AGE, sentence="Another.")), "row 2.*second sentence"),
    ],
)
def test_rows_that_cannot_be_are_refused_on_writing(
    rows: tuple[Slot, ...], names: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=names):
        write_table(CaptionTable(rows), tmp_path / "captions.parquet")
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    with pytest.raises(InputError, match="no caption table"):
        read_table(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="cannot be read"):
        read_table(path)
    pyarrow.parquet.write_table(pyarrow.table({"observation": ["a"], "value": ["b"]}), path)
    with pytest.raises(InputError, match="no column modality, group"):
        read_table(path)


@pytest.mark.parametrize(
    ("column", "value"), [("value", 3), ("confidence", "high"), ("source_model", "gpt"), ("sentence", None)]
)
def test_cells_of_other_types_are_named(column: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    record = {name: getattr(GENDER, name) for name in COLUMNS} | {column: value}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([record]), path)
    with pytest.raises(InputError, match=f"row 1, column {column}"):
        read_table(path)
