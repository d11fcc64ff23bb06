"""A small world whose vectors are put together from one part per modality; tir is noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from evaluation_cases import manifest_of, rows_of

from nextreid.embedding.embeddings import Embeddings
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.scenarios.scenario import ScenarioContext

MODALITIES = ("rgb", "nir", "tir")
SUBSETS = ("rgb+nir", "tir+rgb", "nir+tir", "rgb", "nir", "tir")


def some_lack(index):
    return ("tir",) if index % 7 == 0 else ("rgb", "nir") if index % 7 == 1 else MODALITIES


def subset_world(partial=False, people=10, each=6, seed=0):
    """Rows and their embeddings with every subset."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    rows = rows_of([f"p{i}" for i in who], ["12"[i % 2] for i in range(len(who))])
    present = [some_lack(i) if partial else MODALITIES for i in range(len(rows))]
    rows = [
        replace(row, paths={m: Path(f"{m}.png") for m in here})
        for row, here in zip(rows, present, strict=True)
    ]
    shared = rng.standard_normal((people, 8))  # all modalities show it, so that they can be compared
    parts = {m: shared[who] * (m != "tir") + 0.8 * rng.standard_normal((len(who), 8)) for m in MODALITIES}

    def shown(names):
        return np.sum(
            [
                parts[m] * np.array([m in names and m in here for here in present])[:, None]
                for m in MODALITIES
            ],
            axis=0,
        ).astype(np.float32)

    embeddings = Embeddings(
        np.array([row.observation for row in rows]),
        shown(MODALITIES),
        subsets={name: shown(name.split("+")) for name in SUBSETS},
    )
    return rows, embeddings


def context_of(rows, embeddings, bootstrap=100, **more):
    manifest = manifest_of(rows, MODALITIES)
    full = evaluate_embeddings(embeddings, manifest, protocol="cross-camera", bootstrap=bootstrap)
    return ScenarioContext(manifest=manifest, embeddings=embeddings, full=full, **more)


def vectors_by_id(embeddings, shown):
    matrix = (
        embeddings.vectors
        if set(shown) == set(MODALITIES)
        else next(m for name, m in embeddings.subsets.items() if set(name.split("+")) == set(shown))
    )
    return dict(zip(embeddings.observation.tolist(), matrix, strict=True))
