"""Real crops: where the true matches of each query stand among the others.

    python benchmarks/real_crops.py [--data ../shared/data/real_samples] [--model builtin:clip-small]

The folder holds a manifest with the columns `group` and `role` (query, match, other). For each query the
other observations of its group, and of its kind, are sorted by cosine similarity; recorded are the ranks of
its true matches, with all modalities and with each alone, beside what a random order and the same network
with random weights give. A CLIP describes an observation by the normalised mean of its images' class tokens;
a trained model by its retrieval vector, with generic prompts. A trained model is asked about its own kind
only; --model can be repeated. The crops are about twenty observations a kind with one query each, cut from
published rank lists, whose wrong entries were another method's mistakes: this shows that real images are read
sensibly, and claims no accuracy. Written to benchmarks/results/real_crops.json.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nextreid.attributes.schema import load_schema
from nextreid.data.manifest import Manifest, Row, load_manifest
from nextreid.embedding.embedder import NextReID
from nextreid.embedding.reader import ImageTextReader
from nextreid.embedding.reader_source import KIND_SIZE, is_model_folder, schema_sentences
from nextreid.evaluation.results.provenance import hardware, sha256_of, versions
from nextreid.evaluation.statistics import random_order_scores
from nextreid.model.architecture import build_model
from nextreid.model.backbone import Clip, load_clip
from nextreid.model.pretrained import Pretrained, load_model
from nextreid.model.stem import build_clip
from nextreid.seeding import derive_seed

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
RANDOM_SEEDS = 5  # ours: one random network may be lucky on so few observations

Embed = Callable[[Sequence[Row], Sequence[str]], np.ndarray]


def with_clip(clip: Clip, kind: str, device: str) -> Embed:
    """Return what describes observations by a CLIP: (n,D), normalised mean of class tokens."""
    reader = ImageTextReader.from_clip(clip, size=KIND_SIZE[kind], device=device)

    def embed(rows: Sequence[Row], modalities: Sequence[str]) -> np.ndarray:
        observations, places = [row.to_observation() for row in rows], [row.place for row in rows]
        total = sum(reader.images(observations, name, places=places).classes for name in modalities)
        return np.asarray(total) / np.linalg.norm(total, axis=1, keepdims=True)

    return embed


def with_model(pretrained: Pretrained, device: str) -> Embed:
    """Return what describes observations by a trained model: (n, width), normalised retrieval vectors."""
    model = NextReID(pretrained, device=device)

    def embed(rows: Sequence[Row], modalities: Sequence[str]) -> np.ndarray:
        shown = [replace(row, paths={name: row.paths[name] for name in modalities}) for row in rows]
        observations = [row.to_observation() for row in shown]
        vectors = model.embed(observations, places=[row.place for row in rows]).vectors
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed


def networks(source: str, kind: str, device: str) -> tuple[Embed, list[Embed]] | None:
    """Return a model and its random twins; None for a trained model of another kind."""
    if is_model_folder(source):
        trained = load_model(source)
        if trained.architecture.schema["kind"] != kind:
            return None
        return with_model(trained, device), [
            with_model(_random_model(source, seed), device) for seed in range(RANDOM_SEEDS)
        ]
    clip = load_clip(source, corpus=schema_sentences(load_schema(kind)))
    twins = [replace(clip, model=_random_clip(clip.model, seed)) for seed in range(RANDOM_SEEDS)]
    return with_clip(clip, kind, device), [with_clip(twin, kind, device) for twin in twins]


def _random_clip(model: Any, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "random twin"))
        return build_clip(model.config)


def _random_model(folder: str, seed: int) -> Pretrained:
    """Build a trained model's architecture anew: its backbone and its own parts at random."""
    from transformers import CLIPConfig

    trained = load_model(folder)
    config = json.loads((Path(folder) / "config.json").read_text())
    settings = CLIPConfig(**config["clip"], attn_implementation=config["attention"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "random twin"))
        clip = Clip(build_clip(settings), trained.model.sentences.tokenizer, origin="scratch")
    return replace(trained, model=build_model(trained.architecture, clip, seed=seed).eval())


def ranks_of(query: np.ndarray, others: np.ndarray, matches: np.ndarray) -> list[int]:
    """Return the ranks of the matches, from 1; equals go by order.

    Args:
        query: (D,). others: (n,D). matches: (n,) bool.
    """
    order = np.argsort(-(others @ query), kind="stable")
    return [int(at) + 1 for at in np.flatnonzero(matches[order])]


def measures(ranks: Sequence[int]) -> dict[str, float]:
    """Return the mean and first rank of the matches, and AP."""
    ap = statistics.mean((at + 1) / rank for at, rank in enumerate(ranks))
    return {"mean_rank": statistics.mean(ranks), "first_rank": float(ranks[0]), "ap": ap}


def chance(matches: int, others: int) -> dict[str, float]:
    """Return what a random order is expected to give: (n+1)/2, (n+1)/(matches+1), E[AP]."""
    ap = random_order_scores(np.array([matches]), np.array([others]))["mAP"]
    return {"mean_rank": (others + 1) / 2, "first_rank": (others + 1) / (matches + 1), "ap": ap}


def score(
    rows: Sequence[Row], modalities: Sequence[str], embed: Embed, twins: Sequence[Embed]
) -> list[dict[str, Any]]:
    """Return one entry a query and scope."""
    vectors, random = embed(rows, modalities), [twin(rows, modalities) for twin in twins]
    entries = []
    for at, row in enumerate(rows):
        if row.extra.get("role") != "query":
            continue
        scopes = {
            "group": [i for i, r in enumerate(rows) if i != at and r.extra["group"] == row.extra["group"]],
            "kind": [i for i in range(len(rows)) if i != at],
        }
        for scope, others in scopes.items():
            matches = np.array([rows[i].identity == row.identity for i in others])
            ranks = ranks_of(vectors[at], vectors[others], matches)
            drawn = [measures(ranks_of(v[at], v[others], matches)) for v in random]
            entries.append(
                {
                    "query": row.observation,
                    "among": scope,
                    "others": len(others),
                    "matches": len(ranks),
                    "ranks": ranks,
                    **measures(ranks),
                    "chance": chance(len(ranks), len(others)),
                    "random_weights": {
                        "seeds": len(drawn),
                        **{name: statistics.mean(d[name] for d in drawn) for name in drawn[0]},
                    },
                }
            )
    return entries


def scored(source: str, manifest: Manifest, device: str) -> dict[str, Any]:
    """Return everything about one model: kind -> shown modalities -> entries."""
    found: dict[str, Any] = {}
    for kind in sorted({row.kind for row in manifest.rows if row.kind in KIND_SIZE}):
        built = networks(source, kind, device)
        if built is None:
            continue
        rows = [row for row in manifest.rows if row.kind == kind]
        shown = [manifest.modalities, *((name,) for name in manifest.modalities)]
        found[kind] = {"+".join(names): score(rows, names, *built) for names in shown}
        for names, entries in found[kind].items():
            for entry in entries:
                print(
                    f"{source}, {kind}, {names}, {entry['query']} among its {entry['among']}: ranks "
                    f"{entry['ranks']} of {entry['others']}; mean {entry['mean_rank']:.1f}, "
                    f"chance {entry['chance']['mean_rank']:.1f}, "
                    f"random weights {entry['random_weights']['mean_rank']:.1f}"
                )
    return found


def main() -> None:
    """Score and record, or say that there is nothing to score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "real_samples")
    parser.add_argument("--model", action="append", help="repeatable; default: builtin:clip-small")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "real_crops.json")
    options = parser.parse_args()
    if not (options.data / "manifest.csv").is_file():
        print(f"skipped: there are no real crops in {options.data}; name their folder with --data")
        return
    manifest = load_manifest(options.data)
    if not all({"group", "role"} <= set(row.extra) for row in manifest.rows):
        raise SystemExit(f"{manifest.source} lacks the columns `group` and `role`")
    models = options.model or ["builtin:clip-small"]
    counts = {kind: sum(row.kind == kind for row in manifest.rows) for kind in KIND_SIZE}
    report = {
        "command": "python benchmarks/real_crops.py " + " ".join(f"--model {name}" for name in models),
        "what": f"{counts['person']} + {counts['vehicle']} observations (persons, vehicles) with one query a "
        "group, cut from published rank lists: it shows that real crops are read sensibly; it supports no "
        "claim of accuracy",
        "data": {"name": manifest.name, "sha256": sha256_of(options.data)},
        "random_seeds": list(range(RANDOM_SEEDS)),
        "models": {name: scored(name, manifest, options.device) for name in models},
        "hardware": hardware(options.device),
        "versions": versions(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
