from dataclasses import replace

import numpy as np
import pytest
from evaluation_cases import manifest_of, rows_of
from PIL import Image

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import ImageError, InputError
from nextreid.evaluation import pictures
from nextreid.evaluation.curves import training_curves
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.pictures import choose_queries, rank_list_picture, sample_sheet

COLOURS = {"rgb": 40, "nir": 120, "tir": 200}


@pytest.fixture
def world(tmp_path):
    """Twelve observations of four identities; o1 lacks tir, o2 has rgb alone."""
    rng = np.random.default_rng(0)
    rows = []
    for at, row in enumerate(rows_of("aaabbbcccddd", "121121122112")):
        here = {1: ("rgb", "nir"), 2: ("rgb",)}.get(at, ("rgb", "nir", "tir"))
        paths = {}
        for modality in here:
            paths[modality] = tmp_path / f"{row.observation}_{modality}.png"
            grey = np.full((32, 16, 3), COLOURS[modality], np.uint8)
            Image.fromarray(grey).save(paths[modality])
        rows.append(replace(row, paths=paths))
    manifest = manifest_of(rows, ("rgb", "nir", "tir"))
    embeddings = Embeddings(
        np.array([row.observation for row in rows]), rng.standard_normal((12, 5)).astype(np.float32)
    )
    return manifest, evaluate_embeddings(embeddings, manifest, protocol="cross-camera", bootstrap=0)


def test_best_and_worst_are_those_of_the_score(world):
    _, evaluation = world
    ap = evaluation.ranking.ap
    best, worst = (choose_queries(evaluation, which, 3, 0) for which in ("best", "worst"))
    valid = ap[evaluation.ranking.valid]
    assert ap[best].tolist() == sorted(valid, reverse=True)[:3]
    assert ap[worst].tolist() == sorted(valid)[:3]
    drawn = choose_queries(evaluation, "random", 99, 0)
    assert sorted(drawn) == np.flatnonzero(evaluation.ranking.valid).tolist()
    assert drawn == choose_queries(evaluation, "random", 99, 0) != choose_queries(evaluation, "random", 99, 1)


@pytest.mark.parametrize("which", ["best", "worst", "random"])
def test_the_picture_shows_the_ranking(world, tmp_path, monkeypatch, which):
    manifest, evaluation = world
    drawn = []
    monkeypatch.setattr(
        pictures, "_draw", lambda manifest, lines, title, out, height: drawn.extend(lines) or out
    )
    rank_list_picture(evaluation, manifest, which=which, count=4, top_k=6, out=tmp_path / "r.png")
    ranking = evaluation.ranking
    assert len(drawn) == 4
    rows = {row.observation: row for row in manifest.rows}
    for cells in drawn:
        query = rows[cells[0].row.observation]
        number = ranking.matching.query.tolist().index(query.observation)
        assert cells[0].frame == pictures.QUERY
        for place, cell in enumerate(cells[1:]):
            entry = cell.row
            assert not (entry.identity == query.identity and entry.camera == query.camera)
            right = entry.identity == query.identity
            assert cell.frame == (pictures.RIGHT if right else pictures.WRONG)
            assert f"{ranking.top_distance[number, place]:.3g}" in cell.lines[1]
            assert f"id {entry.identity}" in cell.lines
            assert f"camera {entry.camera}" in cell.lines
        firsts = [place for place, cell in enumerate(cells[1:], 1) if cell.frame == pictures.RIGHT]
        if firsts:
            assert firsts[0] == ranking.first_match_rank[number]


def test_pixels_of_a_rank_list(world, tmp_path):
    manifest, evaluation = world
    out = rank_list_picture(
        evaluation, manifest, which="best", count=2, top_k=11, out=tmp_path / "deep" / "r.png"
    )
    pixels = np.array(Image.open(out))
    for grey in COLOURS.values():
        assert (pixels == grey).all(axis=2).sum() > 1000
    for frame in (pictures.RIGHT, pictures.WRONG, pictures.QUERY, pictures.HATCH):
        assert (pixels == frame).all(axis=2).sum() > 100
    again = tmp_path / "again.png"
    rank_list_picture(evaluation, manifest, which="best", count=2, top_k=11, out=again)
    assert again.read_bytes() == out.read_bytes()


def test_sample_sheet(world, tmp_path):
    manifest, _ = world
    out = sample_sheet(manifest, tmp_path / "s.png", count=8, per_line=4)
    pixels = np.array(Image.open(out))
    for grey in COLOURS.values():
        assert (pixels == grey).all(axis=2).sum() > 1000
    one = sample_sheet(manifest_of([replace(manifest.rows[2], identity=None)]), tmp_path / "one.png")
    assert Image.open(one).size[0] > 80


def test_bad_options_and_images(world, tmp_path):
    manifest, evaluation = world
    with pytest.raises(InputError, match="best, worst, random"):
        rank_list_picture(evaluation, manifest, which="top", out=tmp_path / "r.png")
    with pytest.raises(InputError, match="1 or more"):
        rank_list_picture(evaluation, manifest, top_k=0, out=tmp_path / "r.png")
    with pytest.raises(InputError, match=r"ends in \.png"):
        sample_sheet(manifest, tmp_path / "s.gif")
    with pytest.raises(InputError, match="does not list"):
        rank_list_picture(evaluation, manifest_of(manifest.rows[:5]), out=tmp_path / "r.png")
    manifest.rows[0].paths["nir"].write_bytes(b"")
    manifest = manifest_of(manifest.rows[:1], manifest.modalities)
    with pytest.raises(ImageError, match=r"row 2 of m\.csv, modality nir"):
        sample_sheet(manifest, tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


def test_training_curves(tmp_path):
    table = "epoch,step,loss,val_mAP,rate_new,note\n0,1,3.5,,0.1,a\n0,2,2.5,0.25,0.2,\n1,3,2.0,,0.3,b\n"
    (tmp_path / "metrics.csv").write_text(table)
    out = training_curves(tmp_path / "metrics.csv", tmp_path / "c.png")
    assert Image.open(out).size[0] > 900  # three panels
    for content, message in [
        ("", "not a table"),
        ("loss\n1\n", "no column `step` or `epoch`"),
        ("step,note,seconds\n1,a,2\n", "no numbers"),
    ]:
        (tmp_path / "metrics.csv").write_text(content)
        with pytest.raises(InputError, match=message):
            training_curves(tmp_path / "metrics.csv", tmp_path / "c2.png")
    with pytest.raises(InputError, match="no file"):
        training_curves(tmp_path / "none.csv", tmp_path / "c.png")
