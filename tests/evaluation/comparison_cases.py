"""Results on disk, made of random vectors: a small data set, runs with seeds and options."""

import numpy as np

from nextreid.data.manifest import load_manifest
from nextreid.embedding.embeddings import Embeddings
from nextreid.evaluation.evaluate import evaluate_branches, evaluate_embeddings
from nextreid.evaluation.results.provenance import Source
from nextreid.evaluation.results.report import results_document, write_results
from nextreid.evaluation.scenarios.missing import missing_entry, missing_modalities

SUBSETS = ("rgb+nir", "rgb+tir", "nir+tir", "rgb", "nir", "tir")


def write_data(folder, identities="aaabbbcccdde", cameras="121212121212"):
    """Write a manifest whose images are only named; return its path."""
    lines = ["observation,identity,camera,rgb,nir,tir"]
    for i, (who, camera) in enumerate(zip(identities, cameras, strict=True)):
        lines.append(f"o{i},{who},{camera},r{i}.png,n{i}.png,t{i}.png")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_run(
    folder,
    data,
    *,
    draw=0,
    seed=None,
    config=None,
    protocol="cross-camera",
    noise=1.0,
    missing=False,
    name="results.json",
    settings=None,
    layout=None,
    bootstrap=50,
    data_name=None,
):
    """Score random vectors, better ones with less noise; write results and embeddings; return the path."""
    manifest = load_manifest(data)
    rng = np.random.default_rng(draw)
    who = {row.identity: 0 for row in manifest.rows}
    centres = {each: np.random.default_rng(7 + i).standard_normal(8) for i, each in enumerate(who)}
    vectors = np.stack(
        [centres[row.identity] + noise * rng.standard_normal(8) for row in manifest.rows]
    ).astype(np.float32)
    embeddings = Embeddings(
        np.array([row.observation for row in manifest.rows]),
        vectors,
        subsets={each: rng.standard_normal(vectors.shape).astype(np.float32) + vectors for each in SUBSETS}
        if missing
        else {},
        branches={"global": slice(0, 4), "semantic": slice(4, 8)},
    )
    out = folder / name
    kept = embeddings.save(folder / f"{out.stem}.embeddings.npz")
    found = evaluate_embeddings(embeddings, manifest, protocol=protocol, bootstrap=bootstrap)
    scenarios = {}
    if missing:
        scenarios["missing"] = missing_entry(missing_modalities(embeddings, manifest, full=found))
    document = results_document(
        found,
        data=Source(str(data), manifest.sha256, data_name or manifest.name),
        selection="last epoch (3)",
        embeddings=Source.beside(kept, out),
        branches=evaluate_branches(embeddings, manifest, full=found),
        scenarios=scenarios,
        settings={"captions": "none", "layout": layout, **(settings or {})},
        training=None if config is None else {"seed": seed, "config": config},
    )
    write_results(document, found.per_query, out)
    return out
