"""What a check says of a benchmark: what was left out, what it shares with others, what is missing."""

import re
from collections import Counter
from collections.abc import Iterator

from nextreid.data.findings import Finding
from nextreid.data.layout import Layout
from nextreid.data.layout_tree import Tree
from nextreid.data.layouts import layout_of
from nextreid.data.rows import Manifest

OF_MSVR310 = re.compile(r"_v[0-7]_n9_s\d{3}_\d{3}$")
"""WMVeID863's names for the images of MSVR310 (counted in the published caption files: all 2087)."""


def benchmark_findings(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is to be said of a benchmark; for a manifest, only what its rows show."""
    for note in manifest.notes:
        yield Finding("note", "left-out", f"{manifest.name}: {note}", "know it when you compare figures")
    yield from _of_msvr310(manifest)
    layout = layout_of(manifest)
    if layout is None:
        return
    for warning in layout.overlaps:
        yield Finding(
            "warning", "shared-with-another-benchmark", warning, "train and test within one of them"
        )
    yield from _counts(manifest, layout)
    yield from _query_list(manifest, layout)


def _of_msvr310(manifest: Manifest) -> Iterator[Finding]:
    shared = [row for row in manifest.rows if OF_MSVR310.search(row.observation)]
    if shared:
        counts = Counter(row.split for row in shared)
        yield Finding.about(
            shared,
            "warning",
            "shared-with-another-benchmark",
            f"{len(shared)} of {len(manifest)} observations (train {counts['train']}, test {counts['test']}) "
            "are images of MSVR310 (names with n9), its test images among them",
            "never train on WMVeID863 and report MSVR310, nor the other way round",
        )


def _counts(manifest: Manifest, layout: Layout) -> Iterator[Finding]:
    """Compare with what the whole release holds."""
    train, test = manifest.split("train"), manifest.split("test")
    queries = [row for row in test.rows if row.is_query]
    found = {
        "train": len(train),
        "train identities": len(train.identities),
        "test": len(test),
        "test identities": len(test.identities),
        "queries": len(queries),
        "query identities": len({row.identity for row in queries}),
        "gallery": sum(row.is_gallery for row in test.rows),
    }
    other = [
        f"{name} {found[name]} of {wanted}" for name, wanted in layout.counts.items() if found[name] != wanted
    ]
    if other:
        yield Finding(
            "note",
            "not-the-whole-release",
            f"The release of {layout.title} has other counts: {', '.join(other)}",
            "copy what is missing; nothing, if this is data of your own in that layout",
        )


def _query_list(manifest: Manifest, layout: Layout) -> Iterator[Finding]:
    """Compare the queries that a folder lists with those that the benchmark's rule gives."""
    if not isinstance(layout.reader, Tree) or layout.reader.queries is None:
        return
    test = manifest.split("test").rows
    by_rule = set(layout.reader.queries(test))
    other = [row for row in test if row.is_query != (row.observation in by_rule)]
    if other:
        listed = sum(row.is_query for row in test)
        yield Finding.about(
            other,
            "warning",
            "other-queries",
            f"The folder of queries lists {listed}, the rule of {layout.title} gives {len(by_rule)}; they "
            f"differ in {len(other)}, first {other[0].observation}",
            "copy the folder of queries again, or remove it: the rule then decides",
        )
