from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import manifest_of, rows_of, slow_evaluation, stack

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.scenarios.missing import missing_modalities

MODALITIES = ("rgb", "nir", "tir")
SUBSETS = ("rgb+nir", "tir+rgb", "nir+tir", "rgb", "nir", "tir")


def world(partial=False, people=10, each=6):
    """Vectors whose parts are the modalities; tir is noise."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(people), each)
    rows = rows_of([f"p{i}" for i in who], ["12"[i % 2] for i in range(len(who))])
    present = [MODALITIES] * len(rows)
    if partial:
        present = [
            ("tir",) if i % 7 == 0 else ("rgb", "nir") if i % 7 == 1 else MODALITIES for i in range(len(rows))
        ]
    rows = [
        replace(row, paths={m: Path(f"{m}.png") for m in here})
        for row, here in zip(rows, present, strict=True)
    ]
    parts = {
        m: rng.standard_normal((people, 8))[who] * (m != "tir") + 0.8 * rng.standard_normal((len(who), 8))
        for m in MODALITIES
    }

    def shown(names):
        return np.concatenate(
            [
                parts[m] * np.array([m in names and m in here for here in present])[:, None]
                for m in MODALITIES
            ],
            axis=1,
        ).astype(np.float32)

    embeddings = Embeddings(
        np.array([row.observation for row in rows]),
        shown(MODALITIES),
        subsets={name: shown(name.split("+")) for name in SUBSETS},
    )
    return rows, embeddings


def run(rows, embeddings, bootstrap=200):
    manifest = manifest_of(rows, MODALITIES)
    full = evaluate_embeddings(embeddings, manifest, protocol="cross-camera", bootstrap=bootstrap)
    return full, missing_modalities(embeddings, manifest, full=full)


def test_every_subset_against_the_full_set():
    rows, embeddings = world()
    full, found = run(rows, embeddings)
    assert [row.name for row in found] == [
        "M(tir)",
        "M(nir)",
        "M(rgb)",
        "M(nir+tir)",
        "M(rgb+tir)",
        "M(rgb+nir)",
    ]
    for row in found:
        matrix = embeddings.subset(row.shown)
        by_name = {r.observation: v for r, v in zip(rows, matrix, strict=True)}
        stacked = stack(by_name, rows)
        expected, _, _ = slow_evaluation(stacked, stacked, rows, rows, "cross-camera", "cosine")
        assert dict(row.evaluation.metrics) == pytest.approx(expected, abs=1e-9)
        assert row.gain["mAP"].difference == pytest.approx(full.metrics["mAP"] - expected["mAP"])
        assert row.left_out == 0
    by_name = {row.name: row for row in found}
    assert by_name["M(rgb+nir)"].gain["mAP"].better  # tir alone is noise
    assert not by_name["M(tir)"].gain["mAP"].better


def test_observations_with_nothing_to_show_are_left_out_on_both_sides():
    rows, embeddings = world(partial=True)
    full, found = run(rows, embeddings)
    lacking = {"M(nir+tir)": "rgb", "M(rgb+tir)": "nir", "M(rgb+nir)": "tir"}
    for row in found:
        some = [r for r in rows if set(r.paths) & set(row.shown)]
        assert row.left_out == len(rows) - len(some)
        assert (row.left_out > 0) == (row.name in lacking or row.name == "M(tir)")
        counts = row.evaluation.counts
        assert counts.total == counts.gallery == len(some)
        by_name = {r.observation: v for r, v in zip(rows, embeddings.vectors, strict=True)}
        stacked = stack(by_name, some)
        expected, _, _ = slow_evaluation(stacked, stacked, some, some, "cross-camera", "cosine")
        assert row.gain["mAP"].first == pytest.approx(expected["mAP"])  # the full set, without them
    assert full.counts.total == len(rows)


def test_a_zero_row_must_be_an_absent_observation_and_the_other_way_round():
    rows, embeddings = world(partial=True)
    silent = {name: matrix.copy() for name, matrix in embeddings.subsets.items()}
    silent["rgb"][3] = 0
    with pytest.raises(InputError, match=r"`embedding/rgb` of 'o3' is all zeros, though"):
        run(rows, Embeddings(embeddings.observation, embeddings.vectors, subsets=silent))
    leaking = {name: matrix.copy() for name, matrix in embeddings.subsets.items()}
    leaking["rgb"][0] = 1  # o0 has tir alone
    with pytest.raises(InputError, match=r"`embedding/rgb` of 'o0' is not all zeros"):
        run(rows, Embeddings(embeddings.observation, embeddings.vectors, subsets=leaking))


def test_missing_subsets_and_single_modalities_are_errors():
    rows, embeddings = world()
    few = Embeddings(embeddings.observation, embeddings.vectors, subsets={"rgb": embeddings.subsets["rgb"]})
    with pytest.raises(
        InputError, match=r"no embeddings of nir\+rgb alone.*each-subset.*`embedding/rgb\+nir`"
    ):
        run(rows, few)
    rows = [replace(row, paths={"rgb": Path("a.png")}) for row in rows]
    with pytest.raises(InputError, match="only rgb"):
        run(rows, embeddings)


def test_a_subset_that_cannot_be_scored_says_why():
    rows, embeddings = world()
    rows = [
        replace(row, paths={m: Path("a") for m in (("rgb", "tir") if row.camera == "1" else ("rgb", "nir"))})
        for row in rows
    ]
    subsets = {name: matrix.copy() for name, matrix in embeddings.subsets.items()}
    for at, row in enumerate(rows):
        subsets["nir"][at] *= "nir" in row.paths
        subsets["tir"][at] *= "tir" in row.paths
    _, found = run(rows, Embeddings(embeddings.observation, embeddings.vectors, subsets=subsets))
    by_name = {row.name: row for row in found}
    assert by_name["M(rgb+nir)"].evaluation is None
    assert "leaves no query with a match" in by_name["M(rgb+nir)"].reason
    assert by_name["M(rgb)"].evaluation is not None


def test_without_bootstrap_there_is_no_interval():
    rows, embeddings = world()
    _, found = run(rows, embeddings, bootstrap=0)
    assert all(not row.gain and not row.evaluation.intervals for row in found)
