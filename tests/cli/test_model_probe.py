"""`nextreid model probe` from the command line, on a rendered world."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from nextreid.cli.main import main
from nextreid.cli.model import FILES
from nextreid.model.backbone import load_clip
from nextreid.model.clip_folder import save_clip
from nextreid.model.pretraining_notes import PretrainingNotes

SMALL = ["--model", "builtin:tiny", "--size", "64x32", "--sentences", "8", "--least", "2"]
ALL = ["--split", "all", "--seed", "5"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probe") / "world"
    words = ["synth", str(out), "--identities", "4", "--cameras", "2", "--per-camera", "1", "--size", "64x32"]
    assert main([*words, "--seed", "31", "--workers", "0", "--quiet"]) == 0
    return out


@pytest.fixture(scope="module")
def probed(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probe") / "first"
    words = [
        "model",
        "probe",
        *SMALL,
        "--data",
        str(world),
        "--out",
        str(out),
        "--split",
        "all",
        "--seed",
        "5",
    ]
    assert main([*words, "--quiet"]) == 0
    return out


def test_every_file_is_written(probed: Path) -> None:
    assert sorted(path.name for path in probed.iterdir()) == sorted(FILES)
    document = json.loads((probed / "probe.json").read_text())
    assert document["format"] == "nextreid.probe/1"
    assert document["model"]["source"] == "builtin:tiny"
    assert document["model"]["size"] == [64, 32]
    assert len(document["model"]["sha256"]) == len(document["data"]["sha256"]) == 64
    assert document["data"]["images"] == {"rgb": 8, "nir": 8, "tir": 8}
    assert document["seed"] == 5
    for row in document["attributes"]:
        assert row["chance"] == 1 / row["values"]
        assert row["times_chance"] == pytest.approx(row["balanced"] / row["chance"])
        assert row["error_removed"] == pytest.approx((row["balanced"] - row["chance"]) / (1 - row["chance"]))
    asked = {(row["attribute"], row["modality"]) for row in document["attributes"]}
    assert ("upper_colour", "tir") not in asked
    assert {row["level"] for row in document["pointing"]} == {"attribute", "group"}
    assert {row["gallery"] for row in document["retrieval"]} == {"rgb", "nir", "tir", "mixed"}
    assert "time_of_day" not in {row["name"] for row in document["pointing"]}
    text = (probed / "probe.md").read_text()
    assert "## Attributes" in text
    assert "## Pointing" in text
    for name in ("probe.png", "pointing.png"):
        Image.open(probed / name).verify()


def test_summary_is_the_mean_of_the_rows(probed: Path) -> None:
    document = json.loads((probed / "probe.json").read_text())
    for cut, modalities in document["summary"]["attributes"].items():
        for modality, mean in modalities.items():
            rows = [
                row["balanced"]
                for row in document["attributes"]
                if (row["cut"], row["modality"]) == (cut, modality)
            ]
            assert mean["attributes"] == len(rows)
            assert mean["balanced"] == pytest.approx(sum(rows) / len(rows))
    below = document["summary"]["below_twice_chance"]["all"]
    wanted = [row for row in document["attributes"] if row["cut"] == "all" and not row["enough"]]
    assert [(row["attribute"], row["modality"]) for row in below] == [
        (row["attribute"], row["modality"]) for row in wanted
    ]
    rows = [row for row in document["pointing"] if row["level"] == "attribute"]
    mean = sum(row["accuracy"] for row in rows) / len(rows)
    assert document["summary"]["pointing"]["all"]["accuracy"] == pytest.approx(mean)


def test_the_same_again_to_the_byte_and_as_json(world: Path, probed: Path, tmp_path: Path, capsys) -> None:
    words = [
        "model",
        "probe",
        *SMALL,
        "--data",
        str(world),
        "--out",
        str(tmp_path),
        "--split",
        "all",
        "--seed",
        "5",
    ]
    assert main([*words, "--json", "--quiet", "--batch-size", "64"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((probed / "probe.json").read_text())
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (probed / name).read_bytes(), name


def test_some_modalities_and_the_test_split(world: Path, tmp_path: Path, capsys) -> None:
    words = ["model", "probe", *SMALL, "--data", str(world), "--out", str(tmp_path), "--modalities", "tir"]
    assert main([*words, "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["data"]["images"] == {"tir": 4}
    # chosen on the training split, for what is seen there
    assert any(row["position"] is not None for row in document["pointing"])
    assert main([*words[:-1], "sonar"]) == 2
    assert "rgb, nir, tir" in capsys.readouterr().err


def test_it_says_what_the_weights_never_saw(world: Path, probed: Path, tmp_path: Path, capsys) -> None:
    assert json.loads((probed / "probe.json").read_text())["model"]["saw"] == []
    notes = PretrainingNotes(
        command="nextreid pretrain --out clip --leave-out tir",
        seed=0,
        steps=1,
        images_seen=1,
        seconds=1.0,
        hardware="none",
        versions={},
        worlds=[{"kind": "person", "modalities": ["rgb", "nir", "tir"]}],
        left_out="tir",
        class_token_only=False,
        settings={},
    )
    clip = load_clip("builtin:tiny", corpus=["a red jacket"])
    blind = save_clip(clip, tmp_path / "clip", half=True, notes=notes)
    words = ["--data", str(world), "--out", str(tmp_path), "--size", "64x32", "--sentences", "8"]
    assert main(["model", "probe", "--model", str(blind), *words]) == 0
    assert f"The weights of {blind} never saw an image of tir." in capsys.readouterr().err
    assert json.loads((tmp_path / "probe.json").read_text())["model"]["saw"] == ["rgb", "nir"]
    assert "The weights were made from rgb, nir images." in (tmp_path / "probe.md").read_text()
    assert main(["model", "probe", "--model", str(blind), *words, "--modalities", "rgb,nir"]) == 0
    assert "never saw" not in capsys.readouterr().err


def test_no_picture_of_an_earlier_probe_is_left(world: Path, tmp_path: Path) -> None:
    (tmp_path / "probe.png").write_bytes(b"of another probe")
    words = ["--data", str(world), "--out", str(tmp_path), "--least", "1000"]
    assert main(["model", "probe", *SMALL, *words, "--quiet"]) == 0
    assert not json.loads((tmp_path / "probe.json").read_text())["attributes"]
    assert not (tmp_path / "probe.png").exists()


def test_captions_where_there_is_no_truth(world: Path, tmp_path: Path, capsys) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(world, bare, ignore=shutil.ignore_patterns("truth.parquet", "world.json", "parts*"))
    words = ["model", "probe", *SMALL, "--data", str(bare), "--out", str(tmp_path / "out"), "--split", "all"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "not measured" in shown
    document = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert document["attributes"] == document["pointing"] == []
    assert {row["words"] for row in document["retrieval"]} == {"captions"}
    assert not (tmp_path / "out" / "pointing.png").exists()
    assert main([*words, "--captions", "none"]) == 2
    assert "neither truth nor captions" in capsys.readouterr().err


def test_what_cannot_be_probed(world: Path, tmp_path: Path, capsys) -> None:
    out = ["--out", str(tmp_path / "out")]
    kinds = tmp_path / "kinds.csv"
    for cell, said in (("boat", "shows boat"), ("", "no named kind"), ("vehicle", "person and vehicle")):
        lines = (world / "manifest.csv").read_text().splitlines()
        swapped = [lines[0], *(line.replace(",person,", f",{cell},") for line in lines[1:])]
        if cell == "vehicle":
            swapped[1] = lines[1]
        kinds.write_text("\n".join(swapped).replace("images/", f"{world}/images/") + "\n")
        assert main(["model", "probe", *SMALL, "--data", str(kinds), *out]) == 2
        assert said in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for words, said in (
        (["--data", str(world), "--out", str(tmp_path / "file")], "is a file"),
        (["--data", str(world), *out, "--size", "60x32"], "multiples of 16"),
        (["--data", str(world), *out, "--size", "16x32"], "at least 2x2"),
        (["--data", str(world), *out, "--captions", "mine"], "which has a truth"),
        (["--data", str(world), *out, "--schema", "vehicle"], "not in the vehicle schema"),
        (["--data", str(world), *out, "--gallery", "1"], "2 or more"),
        (["--data", str(world), *out, "--model", str(tmp_path / "nosuch")], "nosuch"),
        (["--data", str(world), *out, "--model", str(tmp_path / "empty")], "has no config.json"),
    ):
        assert main(["model", "probe", *SMALL, *words]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
