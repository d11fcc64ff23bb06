"""What the check says of benchmarks: shared images, other counts, fitting protocols, queries by rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skeletons

from nextreid.data.check import check_manifest
from nextreid.data.findings import Finding
from nextreid.data.manifest import load_manifest, write_manifest
from nextreid.data.match_rules import RULES, recommend
from nextreid.data.rows import Manifest, Row


def found(manifest: Manifest, rule: str) -> list[Finding]:
    return [finding for finding in check_manifest(manifest).findings if finding.rule == rule]


def test_wmveid863_holds_msvr310_and_trained_test_identities(tmp_path: Path) -> None:
    tree = skeletons.wmveid863(tmp_path / "WMVEID863")
    manifest = load_manifest(tree)
    report = check_manifest(manifest)
    assert (report.protocol, report.ok) == ("cross-view", False)
    (shared,) = found(manifest, "shared-with-another-benchmark")
    assert "3 of 14 observations (train 1, test 2) are images of MSVR310" in shared.message
    assert set(shared.observations) == {"0002_v0_n9_s002_000", "0005_v2_n9_s001_000", "0005_v6_n9_s001_001"}
    both = found(manifest, "identity-in-both-splits")
    assert [finding.message.split()[1] for finding in both] == ["0406", "0451"]
    assert all("--layout wmveid863@clean" in finding.do for finding in both)
    (lone,) = found(manifest, "query-without-match")
    assert lone.observations == ("test/0451_v0_n0_s999_000",)
    unpaired = {(f.observations[0], f.modality) for f in found(manifest, "unpaired-modality")}
    assert ("0406_v1_n0_s999_004", "rgb") in unpaired
    assert len(unpaired) == 6
    assert len(found(manifest, "one-view")) == 2
    clean = check_manifest(load_manifest(tree, layout="wmveid863@clean"))
    assert clean.ok
    (note,) = [f for f in clean.findings if f.rule == "left-out"]
    assert "0406, 0451" in note.message


def test_what_an_imported_wmveid863_still_shows(tmp_path: Path) -> None:
    write_manifest(load_manifest(skeletons.wmveid863(tmp_path / "WMVEID863")), tmp_path / "w.csv")
    manifest = load_manifest(tmp_path / "w.csv")
    assert len(found(manifest, "shared-with-another-benchmark")) == 1
    assert (
        "importing the tree with --layout wmveid863@clean" in found(manifest, "identity-in-both-splits")[0].do
    )
    assert check_manifest(manifest).protocol == "cross-view"
    bare = replace(manifest, layout=None)
    assert recommend(bare).protocol == "cross-view"
    assert "@clean" not in found(bare, "identity-in-both-splits")[0].do


def test_an_imported_benchmark_keeps_counts_overlaps_and_protocol(tmp_path: Path) -> None:
    write_manifest(load_manifest(skeletons.msvr310(tmp_path / "MSVR310")), tmp_path / "m.parquet")
    manifest = load_manifest(tmp_path / "m.parquet")
    assert manifest.layout == "msvr310"
    assert len(found(manifest, "not-the-whole-release")) == 1
    assert len(found(manifest, "shared-with-another-benchmark")) == 1
    assert recommend(manifest).why == "it is the protocol of MSVR310"


def test_official_galleries_without_their_columns_are_an_error(tmp_path: Path) -> None:
    tree = skeletons.sysu_mm01(tmp_path / "SYSU-MM01", draws=False)
    manifest = load_manifest(tree)
    report = check_manifest(manifest, protocol="sysu/all-single")
    (error,) = [finding for finding in report.findings if finding.rule == "no-draws"]
    assert not report.ok
    assert "which 13 of 13 gallery rows do not have" in error.message
    assert "sysu/all-single@agw" in error.do
    assert check_manifest(manifest).protocol == "sysu/all-single@agw"
    assert check_manifest(manifest).ok


def test_advice_for_queries_without_a_match_depends_on_the_protocol(tmp_path: Path) -> None:
    plant = skeletons.Planter(tmp_path / "mine")
    for name in ("ann/1_c1.jpg", "ann/2_c1.jpg", "bob/1_c1.jpg"):
        plant.image(name)
    manifest = load_manifest(tmp_path / "mine", layout="folder")

    def advice(data: Manifest, protocol: str) -> str:
        findings = check_manifest(data, protocol=protocol).findings
        return next(finding.do for finding in findings if finding.rule == "query-without-match")

    alone = manifest.select(["ann/1_c1", "bob/1_c1"])
    assert advice(manifest, "none") == (
        "they are left out of the score; add gallery rows of the same identities"
    )
    assert advice(alone, "none") == "add gallery rows of the same identities"
    assert advice(manifest, "cross-camera").startswith("use another protocol, or add")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: skeletons.strips(root, tiles=3), "RGBN300's vehicles"),
        (lambda root: skeletons.strips(root, tiles=2), "RGBN300's vehicles"),
        (skeletons.msvr310, "WMVeID863 contains all of MSVR310"),
    ],
)
def test_benchmarks_that_share_vehicles(tmp_path: Path, make, words: str) -> None:
    (warning,) = found(load_manifest(make(tmp_path / "tree")), "shared-with-another-benchmark")
    assert warning.severity == "warning"
    assert words in warning.message


def test_counts_of_the_release(tmp_path: Path) -> None:
    small = load_manifest(skeletons.msvr310(tmp_path / "small"))
    (note,) = found(small, "not-the-whole-release")
    assert note.severity == "note"
    assert "train 3 of 1032" in note.message
    assert "queries 3 of 591" in note.message
    whole = load_manifest(skeletons.msvr310(tmp_path / "whole", whole=True))
    assert found(whole, "not-the-whole-release") == []
    assert found(whole, "query-without-match") == []


def test_a_half_copied_query_folder(tmp_path: Path) -> None:
    tree = skeletons.msvr310(tmp_path / "MSVR310")
    assert found(load_manifest(tree), "other-queries") == []
    for folder in ("vis", "ni", "th"):
        (tree / "query3" / "0002" / folder / "0002_s013_v0_002.jpg").unlink()
    (warning,) = found(load_manifest(tree), "other-queries")
    assert "lists 2, the rule of MSVR310 gives 3; they differ in 1, first 0002_s013_v0_002" in warning.message


def test_one_image_observations_lack_no_modality(tmp_path: Path) -> None:
    manifest = load_manifest(skeletons.sysu_mm01(tmp_path / "SYSU-MM01"))
    assert found(manifest, "unpaired-modality") == []
    (lone,) = found(manifest, "query-without-match")
    assert lone.observations == ("cam3/0012/0001",), "its room's other camera does not count"


def test_recommendations(tmp_path: Path) -> None:
    """Each benchmark's own; as a manifest, what its rows show."""
    trees = {
        "cross-camera": skeletons.rgbnt201(tmp_path / "a"),
        "cross-scene": skeletons.msvr310(tmp_path / "b"),
        "sysu/all-single": skeletons.sysu_mm01(tmp_path / "c"),
        "regdb/v2t": skeletons.regdb(tmp_path / "d"),
        "llcm/vis2nir": skeletons.llcm(tmp_path / "e"),
    }
    for protocol, tree in trees.items():
        manifest = load_manifest(tree)
        assert recommend(manifest).protocol == protocol
        assert recommend(replace(manifest, layout=None)).protocol == protocol
        assert check_manifest(manifest).why == recommend(manifest).why
    (tmp_path / "c" / "exp" / "rand_perm_cam.mat").unlink()
    assert recommend(load_manifest(tmp_path / "c")).protocol == "sysu/all-single@agw"
    assert recommend(load_manifest(skeletons.wmveid863(tmp_path / "f"))).protocol == "cross-view"
    plain = skeletons.Planter(tmp_path / "g")
    plain.image("ann/1.jpg")
    plain.image("ann/2.jpg")
    assert recommend(load_manifest(tmp_path / "g", layout="folder")).protocol == "none"


def test_queries_without_match_equal_a_slow_twin() -> None:
    """Random rows of one modality each, every rule, against loops written from the protocols' words."""
    rng = np.random.default_rng(8)
    for trial in range(40):
        rows = [
            Row(
                index=place,
                source="random",
                observation=f"o{place}",
                paths={["rgb", "nir", "tir"][rng.integers(3)]: Path(f"{place}.png")},
                identity=None if rng.random() < 0.1 else str(rng.integers(6)),
                camera=str(rng.integers(3)),
                scene=str(rng.integers(4)),
                view=str(rng.integers(2)),
                is_query=bool(rng.random() < 0.7),
                is_gallery=bool(rng.random() < 0.7),
            )
            for place in range(25)
        ]
        for protocol, rule in RULES.items():
            lone, total = rule.without_match(rows)
            sides = {
                "sysu": ("nir", "rgb"),
                "regdb/v2t": ("rgb", "tir"),
                "regdb/t2v": ("tir", "rgb"),
                "llcm/vis2nir": ("rgb", "nir"),
                "llcm/nir2vis": ("nir", "rgb"),
            }.get(protocol.split("/")[0] if protocol.startswith("sysu") else protocol, (None, None))
            expected, number = [], 0
            for q in rows:
                if not q.is_query or q.identity is None or (sides[0] and sides[0] not in q.paths):
                    continue
                number += 1
                matches = 0
                for g in rows:
                    if not g.is_gallery or (sides[1] and sides[1] not in g.paths):
                        continue
                    if protocol.startswith("sysu/indoor") and g.scene not in ("1", "2"):
                        continue
                    if g.identity != q.identity or g.observation == q.observation:
                        continue
                    same = {
                        "cross-camera": g.camera == q.camera,
                        "cross-scene": g.scene == q.scene,
                        "cross-view": g.view == q.view,
                        "sysu": g.scene == q.scene,
                        "llcm": g.camera == q.camera,
                    }.get(protocol.split("/")[0], False)
                    matches += not same
                if not matches:
                    expected.append(q.observation)
            assert [row.observation for row in lone] == expected, (trial, protocol)
            assert total == number
