"""How long ranking and scoring take, beside the loops that public evaluators use, and in how much memory.

    python benchmarks/ranking.py [--queries 3368] [--gallery 15913] [--width 512] [--repeats 3] [--large]

The sizes are Market-1501's. Three ways, each in a process of its own, from vectors to mAP, Rank-k and mINP
under cross-camera, normalisation and matrix product included:

- `field`: per query an argsort, a mask, cumulated matches and a Python list of precisions, as in the
  evaluators that torchreid, AGW and fast-reid share;
- `lean`: the same loop without the list;
- `ours`: `Protocol.match` and `rank`.

`locations` is a gallery of which a large part is removed for every query, whatever the identity, as SYSU-MM01
has it (3,803 queries, 3,010 entries, entries of the query's location out, ranks in identities; ours only).

Median wall seconds of the repeats; `memory` is the peak over the process before it made its vectors, in MB.
`--large` also ranks 50,000 queries in 200,000 entries (ours only), with its progress on stderr. Written to
benchmarks/results/ranking.json.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fresh_process import measured, peak_megabytes
from nextreid.data.manifest import Row
from nextreid.evaluation.protocols import Protocol, protocol_named
from nextreid.evaluation.ranking import METRIC_NAMES, rank
from nextreid.evaluation.results.provenance import hardware, versions

RESULTS = Path(__file__).parent / "results"
CAMERAS = 6
IDENTITIES = 750
NOISE = 3.0  # of the vectors around their identity's, so that matches are found but not all first
LARGE = (50_000, 200_000)
LOCATIONS = (3_803, 3_010)
SYSU_LIKE = Protocol(
    name="locations", version=1, summary="", citation="", removes=("camera",), cmc="identity"
)


def vectors(count: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors in clusters (count, width) float32, and the identity and camera of each."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((IDENTITIES, width), dtype=np.float32)
    identity = generator.integers(0, IDENTITIES, count)
    found = generator.standard_normal((count, width), dtype=np.float32)
    found *= NOISE
    for start in range(0, count, 4096):
        found[start : start + 4096] += centres[identity[start : start + 4096]]
    return found, identity, generator.integers(0, CAMERAS, count)


def rows(identity: np.ndarray, camera: np.ndarray, prefix: str) -> list[Row]:
    """Return the manifest's rows of these observations."""
    paths = {"rgb": Path("image.jpg")}
    return [
        Row(
            source="m.csv",
            paths=paths,
            observation=f"{prefix}{i}",
            identity=str(who),
            camera=str(where),
            index=i,
        )
        for i, (who, where) in enumerate(zip(identity.tolist(), camera.tolist(), strict=True))
    ]


def loop(queries: Any, gallery: Any, *, with_list: bool) -> dict[str, float]:
    """Score as public evaluators do."""
    (q, of_q, by_q), (g, of_g, by_g) = queries, gallery
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    g = g / np.linalg.norm(g, axis=1, keepdims=True)
    distances = 1.0 - q @ g.T
    all_ap, all_inp, all_first = [], [], []
    for query in range(len(q)):
        order = np.argsort(distances[query])
        removed = (of_g[order] == of_q[query]) & (by_g[order] == by_q[query])
        matches = (of_g[order] == of_q[query]).astype(np.int32)[~removed]
        if not matches.any():
            continue
        found = matches.cumsum()
        if with_list:
            precision = np.asarray([hits / (place + 1.0) for place, hits in enumerate(found.tolist())])
        else:
            precision = found / np.arange(1.0, len(found) + 1.0)
        all_ap.append((precision * matches).sum() / matches.sum())
        places = np.flatnonzero(matches) + 1
        all_inp.append(matches.sum() / places[-1])
        all_first.append(places[0])
    first = np.array(all_first)
    scores = [float(np.mean(all_ap)), *(float((first <= k).mean()) for k in (1, 5, 10, 20))]
    return dict(zip(METRIC_NAMES, [*scores, float(np.mean(all_inp))], strict=True))


def measure(way: str, queries: int, gallery: int, width: int) -> dict[str, Any]:
    """Do it once, in this process."""
    start = peak_megabytes()
    asked, searched = vectors(queries, width, seed=1), vectors(gallery, width, seed=2)
    of_asked, of_searched = rows(*asked[1:], "q"), rows(*searched[1:], "g")
    began = time.perf_counter()
    if way in ("ours", "locations"):
        from nextreid.cli.terminal import Terminal

        protocol = SYSU_LIKE if way == "locations" else protocol_named("cross-camera")
        matching = protocol.match(of_asked, of_searched)
        shown = Terminal().progress if queries >= LARGE[0] else None
        metrics = rank(asked[0], searched[0], matching, progress=shown).metrics()
    else:
        metrics = loop(asked, searched, with_list=way == "field")
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "memory": peak_megabytes() - start, "metrics": metrics}


def repeated(way: str, sizes: list[str], repeats: int) -> dict[str, Any]:
    """Measure in fresh processes."""
    runs = [measured(__file__, *sizes, "--measure", way) for _ in range(repeats)]
    return {
        "seconds": round(statistics.median(run["seconds"] for run in runs), 3),
        "all_seconds": [round(run["seconds"], 3) for run in runs],
        "memory": round(max(run["memory"] for run in runs)),
        "metrics": runs[0]["metrics"],
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=3368)
    parser.add_argument("--gallery", type=int, default=15913)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "ranking.json")
    parser.add_argument("--measure", choices=("ours", "lean", "field", "locations"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.queries, options.gallery, options.width)))
        return
    before = os.getloadavg()[0]
    sizes = [
        "--queries",
        str(options.queries),
        "--gallery",
        str(options.gallery),
        "--width",
        str(options.width),
    ]
    ways = {way: repeated(way, sizes, options.repeats) for way in ("ours", "lean", "field")}
    apart = max(
        abs(ways[way]["metrics"][name] - ways["ours"]["metrics"][name])
        for way in ("lean", "field")
        for name in METRIC_NAMES
    )
    report = {
        "command": "python benchmarks/ranking.py " + " ".join(sys.argv[1:]),
        "queries": options.queries,
        "gallery": options.gallery,
        "width": options.width,
        "ways": ways,
        "times_faster": {
            way: round(ways[way]["seconds"] / ways["ours"]["seconds"], 1) for way in ("lean", "field")
        },
        "largest_difference_of_a_metric": apart,
    }
    report["locations"] = {"queries": LOCATIONS[0], "gallery": LOCATIONS[1]}
    words = ["--queries", str(LOCATIONS[0]), "--gallery", str(LOCATIONS[1]), "--width", str(options.width)]
    report["locations"] |= repeated("locations", words, options.repeats)
    if options.large:
        queries, gallery = LARGE
        words = ["--queries", str(queries), "--gallery", str(gallery), "--width", str(options.width)]
        report["large"] = {"queries": queries, "gallery": gallery, **repeated("ours", words, 1)}
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
