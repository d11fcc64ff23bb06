"""Rows without files, random cases, and a slow evaluator written from the definitions alone."""

import math
from pathlib import Path

import numpy as np

from nextreid.data.manifest import Manifest, Row


def manifest_of(rows, modalities=("rgb",)):
    return Manifest(
        name="bare",
        source=Path("m.csv"),
        root=Path(),
        modalities=modalities,
        rows=tuple(rows),
        sha256="0" * 64,
    )


def rows_of(identities, cameras=None, scenes=None, prefix="o"):
    """One row per identity; cameras and scenes as strings of one letter each, '.' for empty."""
    return [
        Row(
            source="m.csv",
            paths={"rgb": Path("a.png")},
            observation=f"{prefix}{i}",
            identity=None if who == "." else who,
            camera=None if cameras is None or cameras[i] == "." else cameras[i],
            scene=None if scenes is None or scenes[i] == "." else scenes[i],
            index=i + 2,
        )
        for i, who in enumerate(identities)
    ]


def slow_removed(protocol, query, entry):
    if protocol == "cross-camera":
        return query.identity == entry.identity and query.camera == entry.camera
    if protocol == "cross-scene":
        return query.identity == entry.identity and query.scene == entry.scene
    assert protocol == "none"
    return query.observation == entry.observation


def slow_distance(a, b, metric):
    a, b = [float(x) for x in a], [float(x) for x in b]
    if metric == "euclidean":
        return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return 1 - dot / math.sqrt(math.fsum(x * x for x in a)) / math.sqrt(math.fsum(y * y for y in b))


def slow_query(vector, gallery_vectors, query, gallery, protocol, metric):
    """Return the kept entries in order, as [(distance, index, is match)]."""
    kept = []
    for index, entry in enumerate(gallery):
        if slow_removed(protocol, query, entry):
            continue
        match = entry.identity is not None and entry.identity == query.identity
        kept.append((slow_distance(vector, gallery_vectors[index], metric), index, match))
    return sorted(kept, key=lambda item: (item[0], item[1]))


def slow_scores(order):
    """Return (ap, inp, first match rank), or None without a match."""
    precisions, found = [], 0
    first = last = 0
    for place, (_, _, match) in enumerate(order, start=1):
        if match:
            found += 1
            precisions.append(found / place)
            first = first or place
            last = place
    if not found:
        return None
    return sum(precisions) / found, found / last, first


def slow_evaluation(query_vectors, gallery_vectors, queries, gallery, protocol, metric):
    """Return (metrics, per query scores, orders)."""
    orders = [
        slow_query(query_vectors[i], gallery_vectors, query, gallery, protocol, metric)
        for i, query in enumerate(queries)
    ]
    scores = [slow_scores(order) for order in orders]
    valid = [score for score in scores if score is not None]
    if not valid:
        return None, scores, orders
    metrics = {"mAP": sum(s[0] for s in valid) / len(valid), "mINP": sum(s[1] for s in valid) / len(valid)}
    for k in (1, 5, 10, 20):
        metrics[f"rank{k}"] = sum(s[2] <= k for s in valid) / len(valid)
    return metrics, scores, orders


def random_case(rng):
    """Random queries and gallery with ties, distractors, singles and, at times, a shared set."""
    width = int(rng.integers(1, 6))
    identities = "abcdefgh"[: rng.integers(1, 9)]
    count = int(rng.integers(1, 30))

    def rows(n, prefix, distractors):
        who = [str(rng.choice(list(identities))) for _ in range(n)]
        if distractors:
            who = ["." if rng.random() < 0.15 else name for name in who]
        places = "123"[: rng.integers(1, 4)]
        return rows_of(
            who,
            [str(rng.choice(list(places))) for _ in range(n)],
            [str(rng.choice(list(places))) for _ in range(n)],
            prefix,
        )

    gallery = rows(count, "g", distractors=True)
    if rng.random() < 0.5:
        queries = [row for row in gallery if row.identity is not None] or rows(2, "q", distractors=False)
    else:
        queries = rows(int(rng.integers(1, 8)), "q", distractors=False)
    pool = rng.integers(-2, 3, size=(int(rng.integers(1, 12)), width)).astype(np.float32)
    if rng.random() < 0.5:
        pool = rng.standard_normal(pool.shape).astype(np.float32)
    pool[~pool.any(axis=1)] = 1.0
    vectors = {row.observation: pool[rng.integers(0, len(pool))] for row in (*queries, *gallery)}
    return queries, gallery, vectors


def stack(vectors, rows):
    return np.stack([vectors[row.observation] for row in rows])
