"""Everything that is wrong in a data set, by name: `nextreid data check`.

An `error` makes a result wrong or stops the work: an unreadable image, an identity in both splits, no
query with a match. A `warning` is worth knowing and may be meant: an absent modality, a duplicate.
A `note` states a property that decides what can be done: identities with one camera.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from nextreid.data.findings import SEVERITIES, Finding, Report, SplitCounts
from nextreid.data.layouts import LAYOUTS
from nextreid.data.readable import ImageProbe, probe_images
from nextreid.data.rows import FACTS, RESERVED, Manifest
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR
from nextreid.progress import Progress

PROTOCOL_COLUMN: dict[str, str | None] = {"cross-camera": "camera", "cross-scene": "scene", "none": None}
"""Protocol -> the column that a query and its match must differ in."""


NEAR = 0.75
"""Likeness of two column names from which one may be a slip for the other (ours: `spilt` is 0.8)."""


def check_manifest(
    manifest: Manifest,
    *,
    protocol: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a data set: every image is decoded, every identity and query looked at.

    Args:
        manifest: the data set.
        protocol: the protocol that queries need a match under; None: the benchmark's own, or the
            strictest that the columns allow.
        workers: threads that read.
        progress: one step per image.

    Raises:
        InputError: an unknown protocol.
    """
    protocol = protocol or _default_protocol(manifest)
    if protocol not in PROTOCOL_COLUMN:
        raise InputError(f"{protocol!r} is not a protocol", allowed=", ".join(PROTOCOL_COLUMN))
    probes = tuple(probe_images(manifest, workers=workers, progress=progress))
    findings = [
        *_columns(manifest),
        *_images(probes),
        *_duplicates(probes),
        *_unpaired(manifest),
        *_identities(manifest),
        *_cameras(manifest),
        *_queries(manifest, protocol),
    ]
    return Report(
        name=manifest.name,
        source=manifest.source,
        protocol=protocol,
        counts=tuple(_counts(manifest, split) for split in ("train", "test") if manifest.split(split).rows),
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
    )


def _default_protocol(manifest: Manifest) -> str:
    if manifest.layout is not None:
        return LAYOUTS[manifest.layout].protocol
    rows = manifest.split("test").rows
    for name, column in PROTOCOL_COLUMN.items():
        if column and rows and all(getattr(row, column) is not None for row in rows):
            return name
    return "none"


def _counts(manifest: Manifest, split: str) -> SplitCounts:
    part = manifest.split(split)
    images = Counter(name for row in part.rows for name in row.paths)
    return SplitCounts(
        split=split,
        observations=len(part.rows),
        images={name: images[name] for name in manifest.modalities},
        identities=len(part.identities),
        cameras=len(part.cameras),
        queries=sum(row.is_query for row in part.rows),
        gallery=sum(row.is_gallery for row in part.rows),
    )


def _columns(manifest: Manifest) -> Iterator[Finding]:
    """Find columns of the user's own whose names are nearly those that mean something."""
    used = {name for name in FACTS if any(getattr(row, name) is not None for row in manifest.rows)}
    used |= {"observation", *manifest.modalities}
    unused = [name for name in RESERVED if name not in used]
    for name in dict.fromkeys(name for row in manifest.rows for name in row.extra):
        for near in get_close_matches(name.lower(), unused, n=1, cutoff=NEAR):
            yield _doubtful(name, near, "kept, but means nothing")
    for name in manifest.modalities:
        for near in {RGB, NIR, TIR} - used:
            if sorted(near) == sorted(name):  # letters in another order; `ir` beside `nir` is no slip
                yield _doubtful(name, near, "a modality of its own")


def _doubtful(name: str, near: str, what: str) -> Finding:
    return Finding(
        "warning",
        "doubtful-column",
        f"The column {name!r} is {what}; the nearest known one is {near!r}",
        "rename the column, if that was meant",
    )


def _images(probes: Iterable[ImageProbe]) -> Iterator[Finding]:
    for probe in probes:
        where = probe.row.where(probe.modality)
        if probe.fault is not None:
            yield Finding.about(
                [probe.row],
                "error",
                "unreadable-image",
                probe.fault,
                "mend the file, empty the cell, or work with --on-error skip",
                modality=probe.modality,
                files=[probe.path],
            )
        if probe.cut:
            yield Finding.about(
                [probe.row],
                "warning",
                "box-outside",
                f"{where}: the box reaches beyond the image and is cut off",
                "correct the box",
                modality=probe.modality,
                files=[probe.path],
            )


def _duplicates(probes: Iterable[ImageProbe]) -> Iterator[Finding]:
    """Find the same pixels listed twice; a file shared by boxes (a strip of modalities) is none."""
    sizes: dict[int, list[ImageProbe]] = defaultdict(list)
    for probe in probes:
        if probe.fault is None:
            sizes[probe.path.stat().st_size].append(probe)
    same: dict[tuple[str, object], list[ImageProbe]] = defaultdict(list)
    digests: dict[Path, str] = {}
    for alike in sizes.values():
        for probe in alike if len(alike) > 1 else ():
            if probe.path not in digests:
                digests[probe.path] = hashlib.sha256(probe.path.read_bytes()).hexdigest()
            same[digests[probe.path], probe.row.boxes.get(probe.modality)].append(probe)
    for copies in same.values():
        if len(copies) < 2:
            continue
        across = ", in train and in test" if len({copy.row.split for copy in copies}) > 1 else ""
        places = _few((f"{copy.row.where(copy.modality)} ({copy.path.name})" for copy in copies), shown=4)
        yield Finding.about(
            [copy.row for copy in copies],
            "warning",
            "duplicate-image",
            f"{len(copies)} images are the same file{across}: {places}",
            "keep one of them",
            files=[copy.path for copy in copies],
        )


def _unpaired(manifest: Manifest) -> Iterator[Finding]:
    for row in manifest.rows:
        for name in manifest.modalities:
            if name not in row.paths:
                yield Finding.about(
                    [row],
                    "warning",
                    "unpaired-modality",
                    f"{row.place}: {row.observation} has {', '.join(row.paths)} but no {name}",
                    "add the image, or leave it: the modality counts as absent",
                    modality=name,
                )


def _identities(manifest: Manifest) -> Iterator[Finding]:
    train, test = (set(manifest.split(split).identities) for split in ("train", "test"))
    for identity in sorted(train & test):
        rows = [row for row in manifest.rows if row.identity == identity]
        counts = Counter(row.split for row in rows)
        yield Finding.about(
            rows,
            "error",
            "identity-in-both-splits",
            f"Identity {identity} is in train ({counts['train']} rows) and in test ({counts['test']} rows)",
            "keep each identity in one split: a test on trained identities measures nothing",
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
    elif untrainable:
        numbers = _few(row.index for row in untrainable)
        yield Finding.about(
            untrainable,
            "warning",
            "training-without-identity",
            f"{len(untrainable)} training rows have no identity: rows {numbers}",
            "fill the column `identity`, or move them to the test split as distractors",
        )


def _cameras(manifest: Manifest) -> Iterator[Finding]:
    if "camera" in manifest.missing_columns:
        other = "none" if "scene" in manifest.missing_columns else "cross-scene or none"
        yield Finding(
            "note",
            "no-camera",
            "There is no column `camera` with values: the protocol cross-camera cannot be used",
            f"evaluate with --protocol {other}, or fill the column",
        )
        return
    seen: dict[str, set[str]] = defaultdict(set)
    for row in manifest.rows:
        if row.identity is not None and row.camera is not None:
            seen[row.identity].add(row.camera)
    for split in ("train", "test"):
        names = manifest.split(split).identities
        single = [name for name in names if len(seen[name]) == 1]
        if single:
            share = f"{len(single)} of {len(names)} {split} identities"
            yield Finding.about(
                [row for row in manifest.rows if row.identity in set(single)],
                "note",
                "one-camera",
                f"{share} occur under one camera only: {_few(single)}",
                "they can be trained on, but not matched across cameras",
            )


def _queries(manifest: Manifest, protocol: str) -> Iterator[Finding]:
    """Compare, for each query, the gallery rows of its identity with those that the protocol removes."""
    rows = manifest.split("test").rows
    queries = [row for row in rows if row.is_query and row.identity is not None]
    gallery = [row for row in rows if row.is_gallery and row.identity is not None]
    if not queries:
        return
    column = PROTOCOL_COLUMN[protocol] or "observation"  # `none` removes the query itself
    total = Counter(row.identity for row in gallery)
    removed = Counter((row.identity, getattr(row, column)) for row in gallery)
    lone = [row for row in queries if total[row.identity] == removed[row.identity, getattr(row, column)]]
    if lone:
        every = len(lone) == len(queries)
        names = _few(row.observation for row in lone)
        yield Finding.about(
            lone,
            "error" if every else "warning",
            "query-without-match",
            f"{len(lone)} of {len(queries)} queries have no valid match under {protocol}: {names}",
            "use another protocol, or add gallery rows of the same identities"
            if every
            else "they are left out of the score; another protocol may keep them",
        )


def _few(items: Iterable[object], shown: int = 8) -> str:
    listed = [str(item) for item in items]
    return ", ".join(listed[:shown]) + (f" and {len(listed) - shown} more" if len(listed) > shown else "")
