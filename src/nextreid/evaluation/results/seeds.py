"""Several runs that differ in their seed: mean and spread, and two such groups paired by seed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextreid.evaluation.permutation import Significance, sign_flip_test
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.comparison import check_same, options_of, split_of
from nextreid.evaluation.results.scored import Scored
from nextreid.evaluation.statistics import CONFIDENCE

SEED = "training.seed"
NAMED = 3
"""Options in a group's name; more are cut off (ours: what a table's first column holds)."""


@dataclass(frozen=True)
class Spread:
    """Of one metric over runs, 0..1.

    Attributes:
        n: how many runs.
        mean: of them.
        std: sample standard deviation (n - 1 in the denominator); None for one run.
        low, high: the smallest and the largest.
    """

    n: int
    mean: float
    std: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Runs whose options are equal but for the seed.

    Attributes:
        name: the options in which this group differs from the others.
        members: its runs, by seed.
        metrics: metric -> spread.
        notes: what is doubtful: an unknown configuration, one seed twice.
    """

    name: str
    members: tuple[Scored, ...]
    metrics: Mapping[str, Spread]
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds of the members; None where not known."""
        return tuple(member.seed for member in self.members)


@dataclass(frozen=True)
class SeedDifference:
    """The first group minus the second over the seeds both have.

    Attributes:
        n: how many seeds.
        mean: of the differences.
        std: of the differences, n - 1 in the denominator.
        interval: 95 % interval of the mean by Student's t.
        significance: of flipping signs, seed by seed.
    """

    n: int
    mean: float
    std: float
    interval: tuple[float, float]
    significance: Significance


@dataclass(frozen=True)
class PairedSeeds:
    """Two groups paired by seed.

    Attributes:
        first, second: names of the groups.
        seeds: that both have (on the same split); empty where they cannot be paired.
        metrics: metric -> difference; empty where they cannot be paired.
        reason: why not, else "".
    """

    first: str
    second: str
    seeds: tuple[int, ...]
    metrics: Mapping[str, SeedDifference]
    reason: str = ""


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    array = np.array(values, dtype=np.float64)
    std = float(array.std(ddof=1)) if len(array) > 1 else None
    return Spread(len(array), float(array.mean()), std, float(array.min()), float(array.max()))


def mean_and_std(values: Spread, *, scale: float = 1.0) -> str:
    """Return `71.2 ± 0.4`, or `71.2` for one run."""
    mean = f"{scale * values.mean:.1f}"
    return mean if values.std is None else f"{mean} ± {scale * values.std:.1f}"


def spread_entries(metrics: Mapping[str, Spread]) -> dict[str, dict[str, float | int | None]]:
    """Return spreads by metric as plain JSON values."""
    return {
        name: {"n": each.n, "mean": each.mean, "std": each.std, "min": each.low, "max": each.high}
        for name, each in metrics.items()
    }


def group_by_options(results: Sequence[Scored]) -> tuple[Group, ...]:
    """Group results whose options are equal but for the seed, in the order of their first member.

    Results without a known configuration stand in one group of their own for each way of scoring.

    Raises:
        InputError: results of different data sets or protocols.
    """
    check_same(*results, across_splits=True)
    found: dict[str, list[Scored]] = {}
    for result in results:
        options = {key: value for key, value in options_of(result).items() if key != SEED}
        found.setdefault(json.dumps(options, sort_keys=True, default=str), []).append(result)
    return _named(list(found.values()))


def groups_as_given(*groups: Sequence[Scored]) -> tuple[Group, ...]:
    """Take the groups as the caller has put them together.

    Raises:
        InputError: results of different data sets or protocols.
    """
    check_same(*(result for group in groups for result in group), across_splits=True)
    return _named([list(group) for group in groups])


def pair_by_seed(first: Group, second: Group, *, seed: int = 0) -> PairedSeeds:
    """Compare two groups over the seeds that both have.

    Args:
        first, second: the groups.
        seed: of the random signs, needed for more than 16 seeds only.
    """
    of = []
    for group in (first, second):
        scores = {_place(member): member.metrics for member in group.members if member.seed is not None}
        if len(scores) < len(group.members):
            known = all(member.seed is not None for member in group.members)
            why = "has a seed twice" if known else "does not know the seed of each run"
            return PairedSeeds(first.name, second.name, (), {}, reason=f"{group.name} {why}")
        of.append(scores)
    shared = sorted(set(of[0]) & set(of[1]))
    if len(shared) < 2:
        reason = f"the groups share {len(shared)} seeds; two or more are needed"
        return PairedSeeds(first.name, second.name, (), {}, reason=reason)
    gaps = np.array([[of[0][s][name] - of[1][s][name] for name in METRIC_NAMES] for s in shared])
    tests = sign_flip_test(gaps, seed=seed)
    return PairedSeeds(
        first.name,
        second.name,
        tuple(seed for _, seed in shared),
        {name: _seed_difference(gaps[:, i], tests[i]) for i, name in enumerate(METRIC_NAMES)},
    )


def _place(member: Scored) -> tuple[int, int]:
    """Return the split and the seed of a run; 0 for data without numbered splits."""
    return (split_of(member) or ("", 0))[1], member.seed or 0


def _seed_difference(gaps: np.ndarray, test: Significance) -> SeedDifference:
    from scipy.stats import t

    mean, std = float(gaps.mean()), float(gaps.std(ddof=1))
    reach = float(t.ppf(0.5 + CONFIDENCE / 2, len(gaps) - 1)) * std / len(gaps) ** 0.5
    return SeedDifference(len(gaps), mean, std, (mean - reach, mean + reach), test)


def _named(groups: list[list[Scored]]) -> tuple[Group, ...]:
    options = [options_of(group[0]) for group in groups]
    keys = dict.fromkeys(key for each in options for key in each if key != SEED)
    telling = [key for key in keys if len({json.dumps(each.get(key), default=str) for each in options}) > 1]
    names = []
    for index, (group, each) in enumerate(zip(groups, options, strict=True)):
        words = [f"{key.removeprefix('training.')}={each[key]}" for key in telling if key in each]
        if len(group) == 1:
            names.append(group[0].name)
        elif words:
            names.append(", ".join(words[:NAMED]) + (" ..." if len(words) > NAMED else ""))
        else:
            names.append("all" if len(groups) == 1 else f"group {index + 1}")
    if len(set(names)) < len(names):
        names = [f"group {index + 1}: {name}" for index, name in enumerate(names)]
    return tuple(_group(name, group) for name, group in zip(names, groups, strict=True))


def _group(name: str, members: list[Scored]) -> Group:
    ordered = sorted(members, key=lambda member: (member.seed is None, _place(member)))
    notes = []
    unknown = [member.name for member in ordered if member.config is None]
    if unknown and len(members) > 1:
        notes.append(
            f"the configuration of {', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''} is not "
            "known: whether these differ in nothing but the seed, the files do not say"
        )
    known = [_place(member) for member in ordered if member.seed is not None]
    twice = sorted({each[1] for each in known if known.count(each) > 1})
    if twice:
        notes.append(
            f"seed {', '.join(map(str, twice))} occurs more than once: these runs are repeats, and the "
            "spread is smaller than that over seeds"
        )
    vectors = [(member.document.get("embeddings") or {}).get("sha256") for member in ordered]
    same = [
        member.name for member, sha in zip(ordered, vectors, strict=True) if sha and vectors.count(sha) > 1
    ]
    if same:
        notes.append(f"{', '.join(same)} were made from the same embeddings: they are not runs of their own")
    splits = sorted({split for split in map(split_of, members) if split})
    if len(splits) > 1:
        numbers = ", ".join(str(number) for _, number in splits)
        notes.append(
            f"of the splits {numbers} of {splits[0][0]}: the spread is that of splits and seeds together"
        )
    metrics = {metric: spread([member.metrics[metric] for member in ordered]) for metric in METRIC_NAMES}
    return Group(name, tuple(ordered), metrics, tuple(notes))
