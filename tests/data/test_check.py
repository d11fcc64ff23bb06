"""The check names what is wrong; skipping leaves out exactly what cannot be read."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nextreid.data.check import check_manifest
from nextreid.data.findings import Finding
from nextreid.data.images import read_image
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.data.readable import readable
from nextreid.errors import ImageError, InputError

ROWS = [
    # observation, identity, camera, split
    ("a", "1", "1", "train"),
    ("b", "1", "2", "train"),
    ("c", "2", "1", "train"),
    ("d", "3", "1", "test"),
    ("e", "3", "2", "test"),
    ("f", "4", "1", "test"),
    ("g", "4", "2", "test"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Seven observations in RGB and 16-bit thermal, nothing wrong with them."""
    rng = np.random.default_rng(0)
    lines = ["observation,identity,camera,split,rgb,tir"]
    for name, identity, camera, split in ROWS:
        Image.fromarray(rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(rng.integers(29_000, 31_000, (32, 16)).astype(np.uint16)).save(
            tmp_path / f"{name}_t.png"
        )
        lines.append(f"{name},{identity},{camera},{split},{name}.png,{name}_t.png")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def edit(data: Path, old: str, new: str) -> Manifest:
    file = data / "manifest.csv"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return load_manifest(data)


def found(manifest: Manifest, rule: str, **options: str) -> list[Finding]:
    return [f for f in check_manifest(manifest, **options).findings if f.rule == rule]


def break_images(data: Path) -> None:
    """One fault of each kind, in rows 2 to 6."""
    (data / "a.png").unlink()
    (data / "b_t.png").write_bytes(b"")
    half = (data / "c.png").read_bytes()
    (data / "c.png").write_bytes(half[: len(half) // 2])
    (data / "d.png").write_text("no image")
    (data / "d_t.png").write_text("no image")
    shutil.rmtree(data / "e_t.png", ignore_errors=True)
    (data / "e_t.png").unlink()
    (data / "e_t.png").mkdir()


def test_nothing_wrong(data: Path) -> None:
    report = check_manifest(load_manifest(data))
    assert report.ok
    assert report.protocol == "cross-camera"
    assert [f.rule for f in report.findings] == ["one-camera"]
    train, test = report.counts
    assert (train.observations, train.identities, train.cameras, train.queries) == (3, 2, 2, 0)
    assert (test.observations, test.images, test.queries, test.gallery) == (4, {"rgb": 4, "tir": 4}, 4, 4)


def test_every_unreadable_image_is_named(data: Path) -> None:
    break_images(data)
    report = check_manifest(load_manifest(data))
    assert not report.ok
    named = {(f.rows[0], f.modality): f for f in report.of("error")}
    assert set(named) == {(2, "rgb"), (3, "tir"), (4, "rgb"), (5, "rgb"), (5, "tir"), (6, "tir")}
    for (row, modality), words in {
        (2, "rgb"): "does not exist",
        (3, "tir"): "zero bytes",
        (4, "rgb"): "cannot be decoded",
        (5, "tir"): "not an image file",
        (6, "tir"): "folder",
    }.items():
        finding = named[row, modality]
        assert words in finding.message
        assert f"row {row} of manifest.csv, modality {modality}" in finding.message
        assert str(finding.files[0]) in finding.message
        assert "skip" in finding.do
    assert report.findings[0].severity == "error", "errors come first"


@pytest.mark.parametrize("workers", [1, 3])
def test_skip_leaves_out_what_cannot_be_read_and_nothing_else(data: Path, workers: int) -> None:
    break_images(data)
    manifest = load_manifest(data)
    result = readable(manifest, on_error="skip", workers=workers)
    left = {row.observation: set(row.paths) for row in result.manifest.rows}
    assert left == {
        "a": {"tir"},
        "b": {"rgb"},
        "c": {"tir"},
        "e": {"rgb"},
        "f": {"rgb", "tir"},
        "g": {"rgb", "tir"},
    }
    assert [(s.observation, s.modality, s.whole) for s in result.skipped] == [
        ("a", "rgb", False),
        ("b", "tir", False),
        ("c", "rgb", False),
        ("d", "rgb", True),
        ("d", "tir", True),
        ("e", "tir", False),
    ]
    assert result.images == 6
    assert result.observations == ("d",)
    assert all("manifest.csv" in s.reason for s in result.skipped)
    images = sum(len(row.paths) for row in manifest.rows)
    assert images == sum(len(row.paths) for row in result.manifest.rows) + result.images, (
        "counts in, counts out"
    )
    for row in result.manifest.rows:
        for path in row.paths.values():
            read_image(path)
    assert result.manifest.rows[4] is manifest.rows[5], "whole rows are untouched"
    assert check_manifest(result.manifest).ok


def test_raise_reads_nothing_beforehand(data: Path) -> None:
    break_images(data)
    manifest = load_manifest(data)
    result = readable(manifest)
    assert result.manifest is manifest
    assert result.skipped == ()
    row = manifest.rows[0]
    with pytest.raises(ImageError, match=r"row 2 of manifest\.csv, modality rgb: .*a\.png"):
        read_image(row.paths["rgb"], where=row.where("rgb"))


def test_skip_has_limits(data: Path) -> None:
    manifest = load_manifest(data)
    for path in data.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"No image of .* can be read; the first: row 2"):
        readable(manifest, on_error="skip")
    with pytest.raises(InputError, match="on_error='ignore'"):
        readable(manifest, on_error="ignore")


def test_progress_counts_images(data: Path) -> None:
    class Bars:
        total, steps = 0, 0

        @contextmanager
        def task(self, title: str, total: int | None) -> Iterator["Bars"]:
            self.total = total or 0
            yield self

        def advance(self, steps: int = 1) -> None:
            self.steps += steps

        def note(self, text: str) -> None:
            raise AssertionError

    bars = Bars()
    check_manifest(load_manifest(data), progress=bars)  # type: ignore[arg-type]
    assert (bars.total, bars.steps) == (14, 14)


def test_unpaired_identities_and_cameras(data: Path) -> None:
    manifest = edit(data, "c,2,1,train,c.png,c_t.png", "c,3,1,train,c.png,")
    (unpaired,) = found(manifest, "unpaired-modality")
    assert "row 4 of manifest.csv: c has rgb but no tir" in unpaired.message
    (both,) = found(manifest, "identity-in-both-splits")
    assert both.severity == "error"
    assert "Identity 3 is in train (1 rows) and in test (2 rows)" in both.message
    assert both.rows == (4, 5, 6)


def test_queries_without_identity_and_rows_without_camera_are_named(data: Path) -> None:
    (finding,) = found(edit(data, "e,3,2,test", "e,,2,test"), "query-without-identity")
    assert finding.severity == "error"
    assert finding.observations == ("e",)
    assert not found(load_manifest(data), "empty-camera")
    (finding,) = found(edit(data, "g,4,2,test", "g,4,,test"), "empty-camera")
    assert finding.observations == ("g",)
    assert "1 of 3 test rows have no camera" in finding.message


def test_kinds_are_looked_at(data: Path) -> None:
    text = (data / "manifest.csv").read_text().splitlines()
    kinds = ["kind", "person", "person", "boat", "boat", "boat", "boat", "boat"]
    table = "\n".join(f"{line},{kind}" for line, kind in zip(text, kinds, strict=True)) + "\n"
    (data / "manifest.csv").write_text(table)
    (strange,) = found(load_manifest(data), "kind-without-schema")
    assert "5 rows are of the kind 'boat'" in strange.message
    (several,) = found(load_manifest(data), "several-kinds")
    assert "boat (5 rows), person (2 rows)" in several.message
    (data / "manifest.csv").write_text(table.replace("boat", "person"))
    assert not found(load_manifest(data), "several-kinds")


def test_without_identities_no_protocol_is_said_to_fit(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("observation,rgb\n1,a.png\n2,a.png\n")
    report = check_manifest(load_manifest(tmp_path))
    assert report.protocol == "none"
    assert not any("cross-camera" in finding.do for finding in report.findings)


def test_one_camera_is_counted_and_listed(data: Path) -> None:
    (finding,) = found(load_manifest(data), "one-camera")
    assert "1 of 2 train identities occur under one camera only: 2" in finding.message


def test_queries_without_a_match(data: Path) -> None:
    manifest = edit(data, "e,3,2,test", "e,3,1,test")
    (finding,) = found(manifest, "query-without-match")
    assert finding.severity == "warning"
    assert finding.observations == ("d", "e")
    assert "2 of 4 queries have no valid match under cross-camera: d, e" in finding.message
    assert found(manifest, "query-without-match", protocol="none") == []
    alone = edit(data, "g,4,2,test", "g,5,2,test")
    every = check_manifest(alone)
    assert not every.ok, "no query at all has a match"
    (finding,) = found(alone, "query-without-match", protocol="none")
    assert finding.observations == ("f", "g")
    with pytest.raises(InputError, match="'sysu' is not a protocol"):
        check_manifest(manifest, protocol="sysu")


def test_matches_equal_a_slow_twin(tmp_path: Path) -> None:
    """Random splits, roles and cameras, against the rule written as loops."""
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    rng = np.random.default_rng(3)
    for trial in range(10):
        lines = ["observation,identity,camera,scene,is_query,is_gallery,rgb"]
        for index in range(30):
            person, camera, scene = rng.integers(0, 9), rng.integers(0, 3), rng.integers(0, 3)
            roles = ",".join(str(bool(role)) for role in rng.random(2) < 0.6)
            lines.append(f"o{index},{person},{camera},{scene},{roles},a.png")
        (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
        manifest = load_manifest(tmp_path / "m.csv")
        for protocol, column in (
            ("cross-camera", "camera"),
            ("cross-scene", "scene"),
            ("none", "observation"),
        ):
            lone = [
                query.observation
                for query in manifest.rows
                if query.is_query
                and not any(
                    other.is_gallery
                    and other.identity == query.identity
                    and getattr(other, column) != getattr(query, column)
                    for other in manifest.rows
                )
            ]
            named = [
                o for f in found(manifest, "query-without-match", protocol=protocol) for o in f.observations
            ]
            assert named == lone, (trial, protocol)


def test_without_cameras_the_protocol_none_is_recommended(data: Path) -> None:
    manifest = edit(data, "observation,identity,camera,", "observation,identity,my_camera,")
    report = check_manifest(manifest)
    assert report.protocol == "none"
    (finding,) = [f for f in report.findings if f.rule == "no-camera"]
    assert "`camera`" in finding.message
    assert "--protocol none" in finding.do


def test_without_identities(data: Path) -> None:
    manifest = edit(data, "observation,identity,camera,", "observation,id,camera,")
    assert [f.rule for f in check_manifest(manifest).findings] == ["no-identity"]
    manifest = edit(data, "observation,id,camera,", "observation,identity,camera,")
    manifest = edit(data, "c,2,1,train", "c,,1,train")
    (finding,) = found(manifest, "training-without-identity")
    assert finding.observations == ("c",)


def test_boxes_and_duplicates(data: Path) -> None:
    text = (data / "manifest.csv").read_text().splitlines()
    boxes = ["rgb_box", "0 0 16 32", "-2 0 8 8", "0 0 8 40", "20 0 30 9", "", "", ""]
    (data / "manifest.csv").write_text(
        "\n".join(f"{line},{box}" for line, box in zip(text, boxes, strict=True))
    )
    shutil.copy(data / "f.png", data / "copy.png")
    manifest = edit(data, "g.png", "copy.png")
    assert [f.rows for f in found(manifest, "box-outside")] == [(3,), (4,)]
    (outside,) = found(manifest, "unreadable-image")
    assert outside.rows == (5,)
    assert "20 0 30 9" in outside.message
    (same,) = found(manifest, "duplicate-image")
    assert same.rows == (7, 8)
    assert "f.png" in same.message
    assert "copy.png" in same.message


def test_one_file_cut_by_different_boxes_is_no_duplicate(tmp_path: Path) -> None:
    """A strip that holds the modalities side by side."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 24, 3), dtype=np.uint8)).save(
        tmp_path / "s.png"
    )
    (tmp_path / "m.csv").write_text(
        "observation,rgb,rgb_box,nir,nir_box,tir,tir_box\na,s.png,0 0 8 8,s.png,8 0 16 8,s.png,8 0 16 8\n"
    )
    (finding,) = found(load_manifest(tmp_path / "m.csv"), "duplicate-image")
    assert "modality nir" in finding.message
    assert "modality tir" in finding.message
    assert "modality rgb" not in finding.message


def test_a_slip_in_a_column_name_is_named(data: Path) -> None:
    manifest = edit(data, "identity,camera,split,rgb", "identiy,kamera,spilt,rbg")
    findings = found(manifest, "doubtful-column")
    assert [finding.severity for finding in findings] == ["warning"] * 4
    for finding, near in zip(findings, ("identity", "camera", "split", "rgb"), strict=True):
        assert f"nearest known one is {near!r}" in finding.message


def test_columns_and_modalities_of_ones_own_are_not_doubted(data: Path) -> None:
    manifest = edit(data, "observation,identity,camera,split,rgb", "observation,identity,cameras,weather,ir")
    assert [finding.message for finding in found(manifest, "doubtful-column")] == [
        "The column 'cameras' is kept, but means nothing; the nearest known one is 'camera'"
    ]
    assert not found(edit(data, "cameras,weather,ir", "camera,cameras,rgb"), "doubtful-column")
