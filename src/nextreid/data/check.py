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

from nextreid.attributes.schema import BUILTIN
from nextreid.data.check_benchmark import benchmark_findings
from nextreid.data.check_identities import camera_findings, identity_findings, query_findings
from nextreid.data.findings import SEVERITIES, Finding, Report, SplitCounts, few
from nextreid.data.match_rules import Recommended, recommend, rule_named
from nextreid.data.readable import ImageProbe, probe_images
from nextreid.data.rows import FACTS, RESERVED, Manifest
from nextreid.modality import NIR, RGB, TIR
from nextreid.progress import Progress

NEAR = 0.75
"""Likeness of two column names from which one may be a slip for the other (ours: `spilt` is 0.8)."""


def check_manifest(
    manifest: Manifest,
    *,
    protocol: str | None = None,
    more: Iterable[Finding] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a data set: every image is decoded, every identity and query looked at.

    Args:
        manifest: the data set.
        protocol: the protocol that queries need a match under; None: the benchmark's own, or the
            strictest that the columns allow.
        more: findings of others, to be reported with these.
        workers: threads that read.
        progress: one step per image.

    Raises:
        InputError: an unknown protocol.
    """
    chosen = Recommended(protocol, "as asked") if protocol else recommend(manifest)
    rule_named(chosen.protocol)
    probes = tuple(probe_images(manifest, workers=workers, progress=progress))
    findings = [
        *_columns(manifest),
        *_images(probes),
        *_duplicates(probes),
        *_unpaired(manifest),
        *_kinds(manifest),
        *identity_findings(manifest),
        *camera_findings(manifest, chosen.protocol),
        *query_findings(manifest, chosen.protocol),
        *benchmark_findings(manifest),
        *more,
    ]
    return Report(
        name=manifest.name,
        source=manifest.source,
        protocol=chosen.protocol,
        counts=tuple(_counts(manifest, split) for split in ("train", "test") if manifest.split(split).rows),
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        why=chosen.why,
    )


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


def _kinds(manifest: Manifest) -> Iterator[Finding]:
    """Find kinds that no shipped attribute schema describes, and several kinds in one set."""
    kinds = Counter(row.kind for row in manifest.rows if row.kind is not None)
    for kind in sorted(set(kinds) - set(BUILTIN)):
        yield Finding.about(
            [row for row in manifest.rows if row.kind == kind],
            "note",
            "kind-without-schema",
            f"{kinds[kind]} rows are of the kind {kind!r}, for which there is no attribute schema",
            f"write {', '.join(BUILTIN)}, or name a YAML file: --model.schema FILE.yaml in training, "
            "--schema FILE.yaml for captions",
        )
    if len(kinds) > 1:
        yield Finding(
            "warning",
            "several-kinds",
            f"The rows are of several kinds: {', '.join(f'{k} ({n} rows)' for k, n in kinds.most_common())}",
            "training takes the schema of the most frequent one: keep one kind a data set",
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
        places = few((f"{copy.row.where(copy.modality)} ({copy.path.name})" for copy in copies), shown=4)
        yield Finding.about(
            [copy.row for copy in copies],
            "warning",
            "duplicate-image",
            f"{len(copies)} images are the same file{across}: {places}",
            "keep one of them",
            files=[copy.path for copy in copies],
        )


def _unpaired(manifest: Manifest) -> Iterator[Finding]:
    """Find absent modalities; where every observation is one image, none is missing."""
    several = any(len(row.paths) > 1 for row in manifest.rows)
    for row in manifest.rows if several else ():
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
