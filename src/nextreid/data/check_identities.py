"""What a check says of identities: in both splits, unnamed, under one or no camera, without a match."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from nextreid.data.findings import Finding, few
from nextreid.data.layout_draws import FILE, TRIALS
from nextreid.data.layouts import layout_of
from nextreid.data.match_rules import RULES, SEEDED, recommend
from nextreid.data.rows import Manifest


def identity_findings(manifest: Manifest) -> Iterator[Finding]:
    """Yield identities in both splits, and rows without one."""
    train, test = (set(manifest.split(split).identities) for split in ("train", "test"))
    for identity in sorted(train & test):
        rows = [row for row in manifest.rows if row.identity == identity]
        counts = Counter(row.split for row in rows)
        yield Finding.about(
            rows,
            "error",
            "identity-in-both-splits",
            f"Identity {identity} is in train ({counts['train']} rows) and in test ({counts['test']} rows)",
            "keep each identity in one split: a test on trained identities measures nothing"
            + _clean(manifest),
        )
    nameless = [row for row in manifest.rows if row.identity is None]
    untrainable = [row for row in nameless if row.split == "train"]
    if len(nameless) == len(manifest.rows):
        yield Finding(
            "note",
            "no-identity",
            "No row has an identity: the data can be embedded, not trained on or scored",
            "fill the column `identity`",
        )
        return
    if untrainable:
        numbers = few(row.index for row in untrainable)
        yield Finding.about(
            untrainable,
            "warning",
            "training-without-identity",
            f"{len(untrainable)} training rows have no identity: rows {numbers}",
            "fill the column `identity`, or move them to the test split as distractors",
        )
    asking = [row for row in nameless if row.split == "test" and row.is_query]
    if asking:
        yield Finding.about(
            asking,
            "error",
            "query-without-identity",
            f"{len(asking)} queries have no identity: rows {few(row.index for row in asking)}; "
            "an evaluation refuses them",
            "fill the column `identity`, or set is_query to false where it is not known",
        )


def _clean(manifest: Manifest) -> str:
    """Offer the variant that leaves such test rows out, where the layout has one."""
    layout = layout_of(manifest)
    if layout is None or "clean" not in layout.variants:
        return ""
    option = f"--layout {layout.name}@clean"
    option = option if manifest.source.is_dir() else f"importing the tree with {option}"
    return f". The release is so; {option} {layout.variants['clean']}"


def camera_findings(manifest: Manifest, protocol: str) -> Iterator[Finding]:
    """Yield identities under one camera only (or in one scene or view, where the protocol asks for two)."""
    if "camera" in manifest.missing_columns:
        fits = recommend(manifest).protocol
        other = " or ".join(dict.fromkeys([fits, "none"]))
        yield Finding(
            "note",
            "no-camera",
            "There is no column `camera` with values: the protocol cross-camera cannot be used",
            f"evaluate with --protocol {other}, or fill the column",
        )
    else:
        yield from _empty_cameras(manifest)
    columns = {"camera", RULES[protocol].column or "camera"} - set(manifest.missing_columns)
    for column in sorted(columns):
        yield from _single(manifest, column)


def _empty_cameras(manifest: Manifest) -> Iterator[Finding]:
    """Yield the test rows that keep a set with cameras from the protocol cross-camera."""
    judged = [row for row in manifest.split("test").rows if row.identity is not None]
    empty = [row for row in judged if row.camera is None]
    if empty:
        yield Finding.about(
            empty,
            "warning",
            "empty-camera",
            f"{len(empty)} of {len(judged)} test rows have no camera, which cross-camera refuses: "
            f"rows {few(row.index for row in empty)}",
            "fill the cells",
        )


def _single(manifest: Manifest, column: str) -> Iterator[Finding]:
    seen: dict[str, set[str]] = defaultdict(set)
    for row in manifest.rows:
        value = getattr(row, column)
        if row.identity is not None and value is not None:
            seen[row.identity].add(value)
    for split in ("train", "test"):
        names = manifest.split(split).identities
        single = [name for name in names if len(seen[name]) == 1]
        if single:
            share = f"{len(single)} of {len(names)} {split} identities"
            under = "under one camera" if column == "camera" else f"in one {column}"
            yield Finding.about(
                [row for row in manifest.rows if row.identity in set(single)],
                "note",
                f"one-{column}",
                f"{share} occur {under} only: {few(single)}",
                f"they can be trained on, but not matched across {column}s",
            )


def query_findings(manifest: Manifest, protocol: str) -> Iterator[Finding]:
    """Yield queries of which the protocol removes every match."""
    yield from _draw_findings(manifest, protocol)
    lone, total = RULES[protocol].without_match(manifest.split("test").rows)
    if not lone:
        return
    every = len(lone) == total
    yield Finding.about(
        lone,
        "error" if every else "warning",
        "query-without-match",
        f"{len(lone)} of {total} queries have no valid match under {protocol}: "
        f"{few(row.observation for row in lone)}",
        _without_match(protocol, every=every),
    )


def _without_match(protocol: str, *, every: bool) -> str:
    """Advise; where nothing but the query itself is removed, another protocol keeps no more."""
    more = "add gallery rows of the same identities"
    least = RULES[protocol].column is None
    if every:
        return more if least else f"use another protocol, or {more}"
    return "they are left out of the score; " + (more if least else "another protocol may keep them")


def _draw_findings(manifest: Manifest, protocol: str) -> Iterator[Finding]:
    """Yield gallery rows without the columns that the protocol draws its galleries by."""
    rule = RULES[protocol]
    columns = [f"draw_{trial}" for trial in range(1, TRIALS + 1)]
    _, searched = rule.sides(manifest.split("test").rows)
    bare = [row for row in searched if rule.drawn and any(name not in row.extra for name in columns)]
    if bare:
        yield Finding.about(
            bare,
            "error",
            "no-draws",
            f"{protocol} draws its galleries by the columns draw_1 to draw_{TRIALS}, which "
            f"{len(bare)} of {len(searched)} gallery rows do not have: rows {few(row.index for row in bare)}",
            f"import the tree with its {FILE}, or use {SEEDED}, which draws by seed",
        )
