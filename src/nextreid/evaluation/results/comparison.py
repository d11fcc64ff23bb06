"""Two results on the same queries: the paired difference, its interval, and whether chance explains it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextreid.data.layouts import LAYOUTS
from nextreid.errors import InputError
from nextreid.evaluation.permutation import DRAWS, Significance, sign_flip_test
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.scored import Scored
from nextreid.evaluation.statistics import PairedDifference, paired_differences

SAME = (
    ("data set", ("data", "sha256")),
    ("protocol", ("protocol", "name")),
    ("version of the protocol", ("protocol", "version")),
)
"""What results must agree in to be compared at all: name, and where it stands in results.json."""

NOT_OPTIONS = ("modalities_shown", "modalities_unseen")
"""Entries of `settings` that are findings, not choices: what data and model come to."""


@dataclass(frozen=True)
class Tested:
    """A paired difference and its test.

    Attributes:
        difference: of the two means, with its bootstrap interval.
        significance: of the permutation test.
    """

    difference: PairedDifference
    significance: Significance


@dataclass(frozen=True)
class PairedComparison:
    """The first result minus the second, query by query.

    Attributes:
        first, second: the results.
        metrics: metric -> the outcome.
        queries: how many valid queries both have.
        bootstrap, draws, seed: how it was computed.
    """

    first: Scored
    second: Scored
    metrics: Mapping[str, Tested]
    queries: int
    bootstrap: int
    draws: int
    seed: int


@dataclass(frozen=True)
class Difference:
    """An option that two results do not share: where it stands, and both values."""

    option: str
    first: Any
    second: Any


def compare_paired(
    first: Scored, second: Scored, *, bootstrap: int = 1000, draws: int = DRAWS, seed: int = 0
) -> PairedComparison:
    """Compare two results of the same data set, protocol and queries.

    Both take the same resampled queries each time, and the same signs. Each metric is tested by itself:
    who tests six and quotes the smallest p has tested six times.

    Args:
        first, second: results with per-query tables.
        bootstrap: resamples for the intervals, at least 1.
        draws: random signs where not all can be tried.
        seed: of both.

    Raises:
        InputError: another data set, protocol, query or valid query; it says which.
    """
    check_same(first, second)
    if bootstrap < 1:
        raise InputError(f"{bootstrap} bootstrap samples", allowed="1 or more for a difference")
    a, b = first.per_query, second.per_query
    for what, one, two in (
        ("queries", a.query, b.query),
        ("valid queries", a.query[a.valid], b.query[b.valid]),
    ):
        if not np.array_equal(one, two):
            raise _other_queries(first, second, what, one.tolist(), two.tolist())
    gaps = paired_differences(a, b, samples=bootstrap, seed=seed)
    tests = sign_flip_test(a.scores() - b.scores(), draws=draws, seed=seed)
    return PairedComparison(
        first=first,
        second=second,
        metrics={name: Tested(gaps[name], tests[i]) for i, name in enumerate(METRIC_NAMES)},
        queries=int(a.valid.sum()),
        bootstrap=bootstrap,
        draws=draws,
        seed=seed,
    )


def check_same(*results: Scored, across_splits: bool = False) -> None:
    """Check that results, at least one, are of one data set under one protocol.

    Args:
        results: any number.
        across_splits: whether the numbered splits of one benchmark (`split_of`) count as one data set.

    Raises:
        InputError: they are not; everything in which two of them differ is named.
    """
    first, of_split = results[0], dict[tuple[str, int] | None, Scored]()
    for other in results:
        here, there = split_of(first), split_of(other)
        numbered = across_splits and here and there and here[0] == there[0]
        before = of_split.setdefault(there, other) if numbered else first
        faults = []
        for what, (section, key) in SAME:
            of = before if section == "data" else first
            one, two = of.document[section].get(key), other.document[section].get(key)
            if one != two:
                faults.append(f"{what}: {_shown(of, one)} and {_shown(other, two)}")
        if faults:
            against = first if before is other else before
            raise InputError(
                f"{against.path} and {other.path} are not of the same {'; not of the same '.join(faults)}",
                allowed="results of one data set under one protocol",
                do="evaluate both on the same data with the same --protocol",
            )


def split_of(result: Scored) -> tuple[str, int] | None:
    """Return (`regdb`, 3) for a result on the layout `regdb@3`; None where variants are no numbered splits.

    The layout without a number is the first split.
    """
    name, _, variant = str(result.document.get("settings", {}).get("layout") or "").partition("@")
    if name not in LAYOUTS or not any(each.isdigit() for each in LAYOUTS[name].variants):
        return None
    return (name, int(variant or 1)) if variant.isdigit() or not variant else None


def differing_options(first: Scored, second: Scored) -> tuple[Difference, ...]:
    """Return the options in which two results differ: of scoring and, where known, of training."""
    one, two = options_of(first), options_of(second)
    if first.config is None or second.config is None:
        one, two = (
            {key: value for key, value in each.items() if not key.startswith("training.")}
            for each in (one, two)
        )
    return tuple(
        Difference(key, one.get(key), two.get(key))
        for key in dict.fromkeys([*one, *two])
        if one.get(key) != two.get(key)
    )


def options_of(scored: Scored) -> dict[str, Any]:
    """Return the choices behind a result by dotted name: scoring, seed and configuration of training.

    Where data lay is left out: its checksum says what it is.
    """
    settings = {
        key: value
        for key, value in scored.document.get("settings", {}).items()
        if key not in NOT_OPTIONS and key != "layout"
    }
    settings["left_out"] = _left_out(settings.get("left_out") or {})
    options = {"metric": scored.document["metric"], **_flat(settings, "settings.")}
    if scored.config is not None:
        options |= {"training.seed": scored.seed, **_flat(scored.config, "training.")}
        for place in ("training.data.path", "training.data.layout"):
            options.pop(place, None)
    return options


def _left_out(found: Mapping[str, Any]) -> str:
    """Say how many images `--on-error skip` left out, and by a checksum which."""
    which = sorted((entry["observation"], entry["modality"]) for entry in found.get("list", ()))
    if not which:
        return "no image"
    return f"{len(which)} images (sha256 {hashlib.sha256(repr(which).encode()).hexdigest()[:12]})"


def _flat(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + str(key): value}
    return found


def _shown(scored: Scored, value: Any) -> str:
    if isinstance(value, str) and value == scored.document["data"]["sha256"]:
        return f"{scored.document['data'].get('name')} (sha256 {value[:12]})"
    return str(value)


def _other_queries(first: Scored, second: Scored, what: str, one: list[str], two: list[str]) -> InputError:
    only = [
        f"{name!r} only in {scored.name}"
        for scored, these, those in ((first, one, two), (second, two, one))
        for name in sorted(set(these) - set(those))[:2]
    ]
    return InputError(
        f"{first.table} and {second.table} have different {what} ({len(one)} and {len(two)}; "
        f"{', '.join(only) if only else 'the same ones in another order'})",
        allowed="the same queries in the same order",
        do="evaluate both on the same data with the same --protocol",
    )
