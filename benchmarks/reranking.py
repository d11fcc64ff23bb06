"""How long k-reciprocal re-ranking takes and how much memory, beside the dense routine in public use.

    python benchmarks/reranking.py [--items 16000] [--dense-items 4000] [--width 512]

A fifth of the items are queries, the others the gallery; every way is a process of its own, from vectors to
all re-ranked distances. `ours` is `rerank` and its blocks, read one after the other. `dense` is the routine
that evaluators share, with N x N matrices; at 16,000 items it wants about 6 GB and a minute, so that it is
run at fewer items unless told (`--dense-items 16000`; 0: not at all), where its distances are also compared
with ours. `memory` is the peak over the process before it made its vectors, in MB; `estimate` is what
`memory_estimate` says of ours, without the vectors. Written to benchmarks/results/reranking.json.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fresh_process import measured, peak_megabytes
from nextreid.embedding.reranking import memory_estimate, rerank
from nextreid.evaluation.results.provenance import hardware, versions
from ranking import vectors

RESULTS = Path(__file__).parent / "results"
K1, K2, WEIGHT = 20, 6, 0.3


def dense(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Re-rank as the public routine does: full matrices, loops over items."""
    items = np.concatenate([queries, gallery])
    items = items / np.linalg.norm(items, axis=1, keepdims=True)
    count, asked = len(items), len(queries)
    original = np.maximum(1.0 - items @ items.T, 0.0).astype(np.float32)
    original = np.transpose(original / original.max(axis=0))
    order = np.argsort(original, axis=1, kind="stable").astype(np.int32)
    encoded = np.zeros_like(original)

    def reciprocal(item: int, k: int) -> np.ndarray:
        forward = order[item, : k + 1]
        return forward[(order[forward, : k + 1] == item).any(axis=1)]

    for item in range(count):
        close = expanded = reciprocal(item, K1)
        for candidate in close:
            theirs = reciprocal(candidate, round(K1 / 2))
            if len(np.intersect1d(theirs, close)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        strength = np.exp(-original[item, expanded])
        encoded[item, expanded] = strength / strength.sum()
    original = original[:asked]
    averaged = np.zeros_like(encoded)
    for item in range(count):
        averaged[item] = encoded[order[item, :K2]].mean(axis=0)
    holders = [np.flatnonzero(averaged[:, item]) for item in range(count)]
    jaccard = np.zeros_like(original)
    for query in range(asked):
        shared = np.zeros(count, dtype=np.float32)
        for item in np.flatnonzero(averaged[query]):
            who = holders[item]
            shared[who] += np.minimum(averaged[query, item], averaged[who, item])
        jaccard[query] = 1.0 - shared / (2.0 - shared)
    return ((1.0 - WEIGHT) * jaccard + WEIGHT * original)[:, asked:]


def measure(way: str, items: int, width: int) -> dict[str, Any]:
    """Do it once, in this process."""
    start = peak_megabytes()
    asked = items // 5
    queries, gallery = vectors(asked, width, seed=1)[0], vectors(items - asked, width, seed=2)[0]
    began = time.perf_counter()
    if way == "dense":
        dense(queries, gallery)
    else:
        for _ in rerank(queries, gallery, k1=K1, k2=K2, weight=WEIGHT).blocks():
            pass
    return {
        "items": items,
        "seconds": round(time.perf_counter() - began, 2),
        "memory": round(peak_megabytes() - start),
    }


def largest_difference(items: int, width: int) -> float:
    """Compare both on the same items."""
    asked = items // 5
    queries, gallery = vectors(asked, width, seed=1)[0], vectors(items - asked, width, seed=2)[0]
    expected = dense(queries, gallery)
    blocks = rerank(queries, gallery, k1=K1, k2=K2, weight=WEIGHT).blocks()
    return max(float(np.abs(b.keys - expected[b.start : b.start + len(b.keys)]).max()) for b in blocks)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=16_000)
    parser.add_argument("--dense-items", type=int, default=4_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--out", type=Path, default=RESULTS / "reranking.json")
    parser.add_argument("--measure", choices=("ours", "dense"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.items, options.width)))
        return
    before = os.getloadavg()[0]

    def run(way: str, items: int) -> dict[str, Any]:
        words = ["--items", str(items), "--width", str(options.width), "--measure", way]
        return measured(__file__, *words)

    report: dict[str, Any] = {
        "command": "python benchmarks/reranking.py " + " ".join(sys.argv[1:]),
        "k1": K1,
        "k2": K2,
        "weight": WEIGHT,
        "width": options.width,
        "ours": run("ours", options.items),
    }
    asked = options.items // 5
    needed = memory_estimate(asked, options.items - asked, options.width)
    report["ours"]["estimate"] = round(needed / 2**20)
    if options.dense_items:
        compared = min(options.dense_items, 2_000)  # ours: a few seconds
        report["dense"] = run("dense", options.dense_items)
        report["ours_at_as_many"] = run("ours", options.dense_items)
        report["largest_difference"] = {
            "items": compared,
            "distance": largest_difference(compared, options.width),
        }
    report |= {
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load_before": round(before, 2),
        "hardware": hardware("cpu"),
        "versions": versions(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
