"""Manifests: what is read, what is refused and how the message names it, and writing them."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nextreid.data.manifest import Manifest, Row, load_manifest, write_manifest
from nextreid.errors import InputError
from nextreid.observation import Sentence

REAL = Path(__file__).parents[3] / "shared" / "data" / "real_samples"


def load(folder: Path, text: str, **options: object) -> Manifest:
    (folder / "m.csv").write_text(text)
    return load_manifest(folder / "m.csv", **options)  # type: ignore[arg-type]


def test_the_smallest_manifest(tmp_path: Path) -> None:
    manifest = load(tmp_path, "observation,rgb\nb,x/b.png\na,a.png\n")
    assert [row.observation for row in manifest.rows] == ["b", "a"], "order is kept"
    row = manifest.rows[0]
    assert row.paths == {"rgb": tmp_path / "x" / "b.png"}
    assert (row.split, row.is_query, row.is_gallery, row.identity, row.index) == ("test", True, True, None, 2)
    assert row.where("rgb") == "row 2 of m.csv, modality rgb"
    assert manifest.modalities == ("rgb",)
    assert manifest.missing_columns == ("identity", "kind", "camera", "scene", "time", "view", "lookalike")
    assert manifest.sha256 == hashlib.sha256((tmp_path / "m.csv").read_bytes()).hexdigest()


def test_every_column(tmp_path: Path) -> None:
    manifest = load(
        tmp_path,
        "note,observation,identity,kind,camera,scene,time,view,lookalike,split,is_query,is_gallery,rgb,rgb_box,depth\n"
        'hi,a,7,person,2,s1,2024-05-31T21:04:00,front,g1,test,False,1,"a b.png",1 2 30 40,/d/a.tif\n'
        ",b,007,person,10,s1,,,,train,,,b.png,,\n"
        ",c,12,person,1,s1,,,,test,,,,,c.TIFF\n",
    )
    a, b, c = manifest.rows
    assert manifest.modalities == ("rgb", "depth")
    assert a.paths == {"rgb": tmp_path / "a b.png", "depth": Path("/d/a.tif")}
    assert a.boxes == {"rgb": (1, 2, 30, 40)}
    assert (a.is_query, a.is_gallery, a.extra) == (False, True, {"note": "hi"})
    assert (b.is_query, b.is_gallery, b.split) == (False, False, "train")
    assert set(c.paths) == {"depth"}
    assert manifest.identities == ("007", "12", "7"), "sorted text: identities are names"
    assert manifest.cameras == ("1", "10", "2")
    said = Sentence("who", "A person.", evidence=frozenset({"rgb"}))
    observation = a.to_observation([said])
    assert (observation.id, observation.identity, observation.camera) == ("a", "7", "2")
    assert observation.captions == (said,)
    assert observation.boxes == {"rgb": (1, 2, 30, 40)}


def test_the_layout_that_a_manifest_was_imported_from(tmp_path: Path) -> None:
    manifest = load(tmp_path, "observation,rgb,layout\na,a.png,regdb@3\nb,b.png,regdb@3\n")
    assert (manifest.layout, dict(manifest.rows[0].extra)) == ("regdb@3", {})
    write_manifest(manifest.select(["b"]), tmp_path / "part.csv")
    assert load_manifest(tmp_path / "part.csv").layout == "regdb@3", "a part is of the same benchmark"
    joined = load(tmp_path, "observation,rgb,layout\na,a.png,regdb@3\nb,b.png,msvr310\n")
    assert joined.layout is None, "data of several benchmarks have no protocol in common"
    assert load(tmp_path, "observation,rgb,layout\na,a.png,msvr310\nb,b.png,\n").layout is None
    with pytest.raises(InputError, match=r"row 3, column layout: 'grid'.*msvr310.*rename the column"):
        load(tmp_path, "observation,rgb,layout\na,a.png,msvr310\nb,b.png,grid\n")


def test_which_columns_are_modalities(tmp_path: Path) -> None:
    text = "observation,rgb,event,strip,strip_box,mask,Depth\na,a,e.png,s,0 0 9 9,m.txt,d.png\n"
    manifest = load(tmp_path, text)
    assert manifest.modalities == ("rgb", "event", "strip")
    assert manifest.rows[0].extra == {"mask": "m.txt", "Depth": "d.png"}
    assert load(tmp_path, text, modalities=["event"]).modalities == ("event",)
    with pytest.raises(InputError, match="no modality column tir"):
        load(tmp_path, text, modalities=["tir"])
    empty = load(tmp_path, "observation,rgb,nir\na,a.png,\n")
    assert empty.modalities == ("rgb",), "a column without images is no modality of the data"


def test_spreadsheet_habits(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(
        '\ufeffobservation , rgb\r\n a , a.png \r\n\r\n"b\nb",b.png\r\nc,c.png\r\n'.encode()
    )
    manifest = load_manifest(tmp_path / "m.csv")
    assert [(row.index, row.observation) for row in manifest.rows] == [(2, "a"), (4, "b\nb"), (6, "c")]
    (tmp_path / "n.csv").write_text("observation,rgb,,\na,a.png,,\n,,,\nb,b.png,,\n,,,\n")  # unnamed, empty
    assert [(row.index, row.observation) for row in load_manifest(tmp_path / "n.csv").rows] == [
        (2, "a"),
        (4, "b"),
    ]


HEAD = "observation,identity,split,is_query,time,rgb,tir,rgb_box\n"
FAULTS = [
    ("", "m.csv is empty"),
    ("observation,rgb\n", "lists no observation"),
    ("id,rgb\na,b.png\n", "no column `observation`; its columns are id, rgb"),
    ("observation;rgb\na;b.png\n", "by commas, not by ';'"),
    ("observation,identity\na,1\n", "no modality column"),
    ("observation,rgb,rgb\na,b.png,c.png\n", "'rgb' occurs twice"),
    ("observation,RGB\na,b.png\n", "'RGB'.*lower case"),
    ("observation,Identity,rgb\na,1,b.png\n", "'Identity'.*lower case"),
    ("observation,rgb,tir_box\na,b.png,0 0 1 1\n", "'tir_box' has no modality column"),
    ("observation,unknown\na,b.png\n", "'unknown' is reserved"),
    (HEAD + "a,1,test,,,a.png,,\n\nb,1,test,,,b.png\n", "row 4 has 6 cells, the header has 8"),
    (HEAD + "a,1,test,,,a.png,,\n,1,test,,,b.png,,\n", "row 3: no observation id"),
    (HEAD + "a,1,test,,,a.png,,\nb,1,test,,,,,\n", "row 3: the observation 'b' has no image.*rgb, tir"),
    (HEAD + ",,,,,,,\n", "lists no observation"),
    ("observation,rgb,,\na,b.png,,c\n", "row 2 has a cell in a column without a name"),
    (
        HEAD + "a,1,,,,a.png,,\nb,1,,,,b.png,,\na,2,,,,c.png,,\n",
        "rows 2 and 4: the observation 'a' is listed twice",
    ),
    (HEAD + "a,1,val,,,a.png,,\n", "row 2, column split: 'val'. Allowed: train, test"),
    (HEAD + "a,1,test,maybe,,a.png,,\n", "row 2, column is_query: 'maybe'. Allowed: true, false"),
    (HEAD + "a,1,test,2,,a.png,,\n", "is_query: '2'"),
    (HEAD + "a,1,test,,yesterday,a.png,,\n", "row 2, column time: 'yesterday'.*ISO 8601"),
    (HEAD + "a,1,test,,,a.png,,1 2 3\n", "row 2, column rgb_box: '1 2 3'.*four whole numbers"),
    (HEAD + "a,1,test,,,a.png,,1 2 3.5 4\n", "rgb_box: '1 2 3.5 4'"),
    (HEAD + "a,1,test,,,a.png,,5 2 5 9\n", "rgb_box: '5 2 5 9' is an empty box"),
    (HEAD + "a,1,test,,,,t.png,5 2 6 9\n", "row 2: rgb_box is filled, but rgb is empty"),
    ('observation,rgb\n"a,b.png\n', "not CSV"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults_name_file_row_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, text)
    assert "m.csv" in str(caught.value) or "unknown" in message


def test_what_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set at"):
        load_manifest(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"not a data set; it holds notes\.txt.*manifest\.csv"):
        load_manifest(tmp_path)
    with pytest.raises(InputError, match=r"notes\.txt is not a manifest.*\.csv or \.parquet"):
        load_manifest(tmp_path / "notes.txt")
    (tmp_path / "bad.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"bad\.parquet cannot be read as Parquet"):
        load_manifest(tmp_path / "bad.parquet")
    (tmp_path / "bad.csv").write_bytes(b"observation,rgb\n\xff\xfe,a.png\n")
    with pytest.raises(InputError, match=r"bad\.csv is not UTF-8"):
        load_manifest(tmp_path / "bad.csv")
    inside = tmp_path / "world"
    inside.mkdir()
    (inside / "manifest.csv").write_text("observation,rgb\na,a.png\n")
    with pytest.raises(InputError, match=r"give .*world"):
        load_manifest(tmp_path)
    assert load_manifest(inside).name == "world"
    (inside / "manifest.parquet").touch()
    with pytest.raises(InputError, match=r"manifest\.csv and manifest\.parquet"):
        load_manifest(inside)


def test_parquet_types_become_the_text_a_csv_would_hold(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "observation": ["a", "b"],
            "identity": [3, 4],
            "camera": [1.0, np.nan],
            "is_query": [True, False],
            "time": pd.to_datetime(["2024-01-01 10:00", "2024-01-02 11:00"]),
            "rgb": ["a.png", None],
            "tir": ["a_t.png", "b_t.png"],
            "tir_box": [[0, 0, 5, 5], None],
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    a, b = load_manifest(tmp_path / "m.parquet").rows
    assert (a.index, b.index) == (1, 2)
    assert (a.identity, a.camera, b.camera) == ("3", "1", None)
    assert (a.is_query, b.is_query) == (True, False)
    assert a.time == "2024-01-01T10:00:00"
    assert a.boxes == {"tir": (0, 0, 5, 5)}
    assert set(b.paths) == {"tir"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    manifest = load(
        tmp_path,
        "observation,identity,camera,split,is_query,rgb,rgb_box,tir,weather\n"
        'a,1,2,train,,img/a.png,0 0 5 6,img/a_t.png,"sun, warm"\n'
        "b,2,1,test,false,img/b.png,,,\n"
        "ä,3,1,test,,,,img/c_t.png,rain\n",
    )
    out = tmp_path / "elsewhere" / "deep" / f"copy.{ending}"
    write_manifest(manifest, out)
    again = load_manifest(out)
    assert [p.name for p in out.parent.iterdir()] == [out.name], "no partial file is left"
    assert again.modalities == manifest.modalities
    for before, after in zip(manifest.rows, again.rows, strict=True):
        assert {m: p.resolve() for m, p in after.paths.items()} == {
            m: p.resolve() for m, p in before.paths.items()
        }
        for name in (
            "observation",
            "identity",
            "camera",
            "split",
            "is_query",
            "is_gallery",
            "boxes",
            "extra",
        ):
            assert getattr(after, name) == getattr(before, name), name
    if ending == "csv":
        assert "../../img/a.png" in out.read_text(), "paths are relative to the manifest"


def test_written_paths_survive_links_to_folders(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "data" / "deep" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "data" / "deep")
    (tmp_path / "outs" / "x").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "outs" / "x")
    row = Row(1, "x", "a", {"rgb": tmp_path / "link" / "a.png"})
    write_manifest([row], tmp_path / "out" / "m.csv")
    assert load_manifest(tmp_path / "out" / "m.csv").rows[0].paths["rgb"].is_file()


def test_writing_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.parquet"):
        write_manifest([Row(1, "x", "a", {"rgb": Path("/a.png")})], tmp_path / "m.xlsx")
    with pytest.raises(InputError, match="No row"):
        write_manifest([], tmp_path / "m.csv")


def test_parts_of_a_manifest(tmp_path: Path) -> None:
    manifest = load(
        tmp_path, "observation,identity,split,rgb\na,1,train,a.png\nb,2,test,b.png\nc,1,train,c.png\n"
    )
    assert [row.observation for row in manifest.split("train").rows] == ["a", "c"]
    assert len(manifest.split("test")) == 1
    assert [row.observation for row in manifest.select(["c", "a"]).rows] == ["a", "c"]
    assert [row.observation for row in manifest.select(np.array([False, True, True])).rows] == ["b", "c"]
    assert manifest.split("train").identities == ("1",)
    assert manifest.split("train").sha256 == manifest.sha256
    with pytest.raises(InputError, match="does not list 1 observations: z"):
        manifest.select(["a", "z"])
    with pytest.raises(InputError, match="mask of 2"):
        manifest.select([True, False])
    with pytest.raises(InputError, match="'val' is not a split"):
        manifest.split("val")


@pytest.mark.skipif(not REAL.is_dir(), reason="real samples are not beside the repository")
def test_real_samples() -> None:
    manifest = load_manifest(REAL)
    assert len(manifest) == 38
    assert manifest.modalities == ("rgb", "nir", "tir")
    assert "camera" in manifest.missing_columns
    assert all(path.is_file() for row in manifest.rows for path in row.paths.values())
    assert manifest.rows[0].extra == {"group": "person1", "role": "query"}


def test_a_table_of_another_name_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("observation,rgb\na,a.png\n")
    with pytest.raises(InputError, match=r"give .*mine\.csv"):
        load_manifest(tmp_path)
