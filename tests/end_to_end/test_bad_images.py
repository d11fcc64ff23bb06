"""Odd and broken images through check, train and embed, stopping or leaving them out."""

import csv
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_options import BRIEF

from nextreid import load_embeddings
from nextreid.cli.main import main

ODD = ("sixteen", "single", "palette")
"""Unusual but fine."""

BROKEN = ("truncated", "empty", "bomb", "text")


def bomb(path: Path) -> None:
    """Write a PNG of 60000 x 60000 pixels in some bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_image(path: Path, kind: str, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)
    if kind == "sixteen":
        Image.fromarray(28000 + 10 * pixels[..., 0].astype(np.uint16)).save(path)
    elif kind == "single":
        Image.fromarray(pixels[..., 0]).save(path)
    elif kind == "palette":
        Image.fromarray(pixels).convert("P").save(path)
    elif kind == "truncated":
        Image.fromarray(pixels).save(path)
        path.write_bytes(path.read_bytes()[:-800])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "bomb":
        bomb(path)
    elif kind == "text":
        path.write_text("not an image")
    else:
        Image.fromarray(pixels).save(path)


def write_data(folder: Path, kinds: tuple[str, ...]) -> Path:
    """Write 4 identities x 3 observations in each split; some thermal images are of the given kinds."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    rows = []
    for split in ("train", "test"):
        for number in range(12):
            name, tir = f"{split}_{number:02d}", f"{split}_{number:02d}_tir.png"
            write_image(folder / f"{name}_rgb.png", "plain", rng)
            write_image(folder / tir, kinds[number] if number < len(kinds) else "plain", rng)
            rows.append([name, f"{split}{number // 3}", number % 3, split, f"{name}_rgb.png", tir])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["observation", "identity", "camera", "split", "rgb", "tir"], *rows])
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("odd") / "data", ODD)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("broken") / "data", (*ODD, *BROKEN))


def test_odd_images_are_fine(odd: Path, model: Path, tmp_path: Path) -> None:
    assert main(["data", "check", str(odd), "--quiet"]) == 0
    assert main(["train", "--data", str(odd), "--out", str(tmp_path / "run"), *BRIEF, "--quiet"]) == 0
    out = tmp_path / "e.npz"
    assert main(["embed", "--model", str(model), "--data", str(odd), "--out", str(out), "--quiet"]) == 0
    assert len(load_embeddings(out)) == 12


def test_check_names_every_broken_image(broken: Path, capsys) -> None:
    assert main(["data", "check", str(broken), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    named = [finding for finding in report["findings"] if finding["rule"] == "unreadable-image"]
    assert len(named) == 2 * len(BROKEN)
    for finding in named:
        assert "row " in finding["message"]
        assert Path(finding["files"][0]).name in finding["message"]
    assert main(["data", "check", str(broken), "--on-error", "skip", "--json"]) == 0


def test_raise_names_file_and_row(broken: Path, model: Path, tmp_path: Path, capsys) -> None:
    first = f"train_{len(ODD):02d}_tir.png"
    assert main(["train", "--data", str(broken), "--out", str(tmp_path / "run"), *BRIEF]) == 2
    shown = capsys.readouterr().err
    assert first in shown
    assert f"row {len(ODD) + 2} of manifest.csv" in shown  # the header is row 1

    out = tmp_path / "e.npz"
    assert main(["embed", "--model", str(model), "--data", str(broken), "--out", str(out)]) == 2
    shown = capsys.readouterr().err
    assert first.replace("train", "test") in shown
    assert "modality tir" in shown
    assert not out.exists()


def test_skip_counts_and_lists(broken: Path, model: Path, tmp_path: Path, capsys) -> None:
    words = ["--on-error", "skip", "--json"]
    assert main(["train", "--data", str(broken), "--out", str(tmp_path / "run"), *BRIEF, *words]) == 0
    captured = capsys.readouterr()
    left_out = json.loads(captured.out)["left_out"]
    assert left_out["images"] == len(BROKEN)
    assert {entry["modality"] for entry in left_out["list"]} == {"tir"}
    assert "train_03" in captured.err

    out = tmp_path / "e.npz"
    assert main(["embed", "--model", str(model), "--data", str(broken), "--out", str(out), *words]) == 0
    left_out = json.loads(capsys.readouterr().out)["left_out"]
    names = [entry["observation"] for entry in left_out["list"]]
    assert names == [f"test_{number:02d}" for number in range(len(ODD), len(ODD) + len(BROKEN))]
    assert left_out["observations"] == 0  # each still has its RGB image
    assert len(load_embeddings(out)) == 12
