"""Slow evaluators of the benchmarks' protocols, written from the public code; nothing of the package in them.

An image is a dict: place (in the manifest), pid, cam, ir (bool), file, view, scene. Distances are a matrix by
place. A trial's scores are a dict of the six metrics, or None where no query has a match.
"""

import random

LOCATION = [None, 1, 2, 2, 4, 5, 6]  # of SYSU-MM01's cameras


def score(queries, gallery, distance, removed, *, by_identity):
    """Return (metrics, {query place: (ap, inp, first rank)}); gallery in the order that settles ties."""
    scores = {}
    for q in queries:
        kept = [g for g in gallery if not removed(q, g)]
        kept.sort(key=lambda g: distance[q["place"]][g["place"]])  # stable
        hits = [g["pid"] is not None and g["pid"] == q["pid"] for g in kept]
        if not any(hits):
            continue
        places = [place for place, hit in enumerate(hits, start=1) if hit]
        ap = sum(found / place for found, place in enumerate(places, start=1)) / len(places)
        if by_identity:
            seen = []
            for g in kept:
                if g["pid"] not in seen:
                    seen.append(g["pid"])
            first = seen.index(q["pid"]) + 1
        else:
            first = places[0]
        scores[q["place"]] = (ap, len(places) / places[-1], first)
    if not scores:
        return None, scores
    metrics = {
        "mAP": sum(s[0] for s in scores.values()) / len(scores),
        "mINP": sum(s[1] for s in scores.values()) / len(scores),
    }
    for k in (1, 5, 10, 20):
        metrics[f"rank{k}"] = sum(s[2] <= k for s in scores.values()) / len(scores)
    return metrics, scores


def sysu_galleries(images, cameras, shots, permutations):
    """permutations[cam, pid][trial]: image numbers from 1, in the order of sorted files."""
    for trial in range(10):
        gallery = []
        for cam in cameras:
            for pid in sorted({i["pid"] for i in images}):
                files = sorted((i for i in images if (i["cam"], i["pid"]) == (cam, pid)), key=by_file)
                if files:
                    gallery += [files[number - 1] for number in permutations[cam, pid][trial][:shots]]
        yield sorted(gallery, key=by_place)


def seeded_galleries(images, cameras):
    """One `random.choice` per identity and camera, as the public AGW code draws."""
    state = random.getstate()
    for trial in range(10):
        random.seed(trial)
        gallery = []
        for pid in sorted({i["pid"] for i in images}, key=lambda pid: f"{pid:04d}"):
            for cam in cameras:
                files = sorted((i for i in images if (i["cam"], i["pid"]) == (cam, pid)), key=by_file)
                if files:
                    gallery.append(random.choice(files))
        yield sorted(gallery, key=by_place)
    random.setstate(state)


def by_place(image):
    return image["place"]


def by_file(image):
    return image["file"]


def evaluate(name, images, distance, permutations=None):
    """Return [(metrics, per query)] of every trial of a protocol."""
    visible = [i for i in images if not i["ir"]]
    infrared = [i for i in images if i["ir"]]
    if name.startswith("sysu/"):
        cameras = [1, 2, 4, 5] if "all" in name else [1, 2]
        shown = [i for i in visible if i["cam"] in cameras]
        if name.endswith("@agw"):
            galleries = seeded_galleries(shown, cameras)
        else:
            galleries = sysu_galleries(shown, cameras, 1 if "single" in name else 10, permutations)
        queries = infrared

        def removed(q, g):
            return LOCATION[q["cam"]] == LOCATION[g["cam"]]

        by_identity = True
    elif name.startswith("llcm/"):
        queries, searched = (visible, infrared) if name == "llcm/vis2nir" else (infrared, visible)
        galleries = seeded_galleries(searched, range(1, 10))

        def removed(q, g):
            return q["pid"] == g["pid"] and q["cam"] == g["cam"]

        by_identity = True
    elif name.startswith("regdb/"):
        queries, searched = (visible, infrared) if name == "regdb/v2t" else (infrared, visible)
        galleries = [searched]

        def removed(q, g):
            return False

        by_identity = False
    else:
        queries, galleries = [i for i in images if i["pid"] is not None], [images]
        column = {"cross-camera": "cam", "cross-scene": "scene", "cross-view": "view"}.get(name)

        def removed(q, g):
            if column is None:
                return q["place"] == g["place"]
            return q["pid"] == g["pid"] and q[column] == g[column]

        by_identity = False
    return [score(queries, g, distance, removed, by_identity=by_identity) for g in galleries]
