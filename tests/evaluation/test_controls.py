from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import manifest_of, rows_of
from PIL import Image

from nextreid.data.manifest import load_manifest
from nextreid.errors import InputError
from nextreid.evaluation.controls import caption_words, colour_histogram
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.pictures import sample_sheet
from nextreid.observation import Sentence

REAL = Path(__file__).parents[3] / "shared" / "data" / "real_samples"


def slow_histogram(image, bins):
    counts = {}
    for line in image.tolist():
        for pixel in line:
            key = tuple(int(value // (256 / bins)) for value in pixel)
            counts[key] = counts.get(key, 0) + 1
    total = image.shape[0] * image.shape[1]
    return [
        (counts.get((r, g, b), 0) / total) ** 0.5
        for r in range(bins)
        for g in range(bins)
        for b in range(bins)
    ]


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for at, row in enumerate(rows_of("aabb")):
        paths = {}
        for modality in ("rgb", "tir") if at != 2 else ("tir",):
            paths[modality] = tmp_path / f"{at}_{modality}.png"
            Image.fromarray(rng.integers(0, 256, (12, 7, 3), dtype=np.uint8)).save(paths[modality])
        rows.append(replace(row, paths=paths, boxes={"tir": (1, 2, 6, 9)} if at == 3 else {}))
    return manifest_of(rows, ("rgb", "tir"))


@pytest.mark.parametrize("bins", [2, 4, 8])
def test_equals_counting_pixels(manifest, bins):
    embeddings = colour_histogram(manifest, bins=bins)
    assert embeddings.observation.tolist() == ["o0", "o1", "o2", "o3"]
    for at, row in enumerate(manifest.rows):
        for column, modality in enumerate(("rgb", "tir")):
            found = embeddings.vectors[at, column * bins**3 : (column + 1) * bins**3]
            if modality not in row.paths:
                assert not found.any()
                continue
            image = np.array(Image.open(row.paths[modality]))
            if modality in row.boxes:
                image = image[2:9, 1:6]
            assert found == pytest.approx(slow_histogram(image, bins), abs=1e-6)
            assert (found**2).sum() == pytest.approx(1, abs=1e-5)


def test_stripes_are_histograms_of_stripes(manifest):
    whole = colour_histogram(manifest, bins=4, stripes=3)
    image = np.array(Image.open(manifest.rows[0].paths["rgb"]))
    expected = [value for at in (0, 4, 8) for value in slow_histogram(image[at : at + 4], 4)]
    assert whole.vectors[0, : 3 * 64] == pytest.approx(expected, abs=1e-6)


def test_caption_words_compare_by_rare_words(manifest):
    told = {"o0": "A red scarf", "o1": "A red scarf.", "o2": "a green hat", "o3": "..."}
    embeddings = caption_words(manifest, lambda name: (Sentence("who", told[name]),))
    unit = embeddings.vectors / np.linalg.norm(embeddings.vectors, axis=1, keepdims=True)
    near = unit @ unit.T
    assert near[0, 1] == pytest.approx(1, abs=1e-5)
    assert near[0, 2] < 0.2  # they share "a" alone, which nearly all have
    assert np.isfinite(unit).all()


def test_bad_options(manifest):
    for options in ({"bins": 1}, {"bins": 64}, {"stripes": 0}):
        with pytest.raises(InputError, match="2 to 32 bins"):
            colour_histogram(manifest, **options)


@pytest.mark.skipif(
    not (REAL / "manifest.csv").exists(), reason="no real crops at ../shared/data/real_samples"
)
def test_real_crops_go_through(tmp_path):
    data = load_manifest(REAL)
    embeddings = colour_histogram(data)
    with pytest.raises(InputError, match=r"needs the column `camera`.*--protocol none"):
        evaluate_embeddings(embeddings, data, protocol="cross-camera")
    sample_sheet(data, tmp_path / "real.png", count=8)
