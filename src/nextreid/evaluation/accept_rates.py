"""Same or not: the share of true pairs accepted at a threshold that accepts a given share of false ones.

A pair is a query and a gallery entry that the protocol keeps for it: *same* where the two are of one
identity, *different* otherwise (entries of unknown identity among them). With n different pairs, a false
positive rate f allows m = floor(f n) of them. The threshold is the distance of the (m + 1)-th nearest
different pair; pairs strictly nearer are accepted, so that ties never exceed f:

    TPR@FPR=f = share of same pairs with a distance < threshold

Exact over all pairs. No list of all distances is kept, only those of the same pairs and of the m + 1
nearest different pairs.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from nextreid.embedding.neighbours import Block, distance_blocks
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.matching import Matching
from nextreid.evaluation.results.report_section import Section, Table, percent
from nextreid.progress import Progress, Silent

FALSE_POSITIVE_RATES = (1e-4, 1e-3, 1e-2)
"""Those that verification benchmarks quote most (IJB, NIST FRVT)."""

_LEAST_GATHERED = 2**20  # ours: 4 MB of distances more are gathered before the nearest are picked


@dataclass(frozen=True)
class AcceptRates:
    """How many true pairs are accepted at each rate of false ones.

    Attributes:
        tpr: false positive rate -> share of same pairs accepted, 0..1; {} without different pairs.
        threshold: false positive rate -> distance below which a pair is accepted; infinite where the
            rate lets all pass.
        same, different: number of pairs.
    """

    tpr: Mapping[float, float]
    threshold: Mapping[float, float]
    same: int
    different: int


def tpr_at_fpr(
    blocks: Iterable[Block],
    matching: Matching,
    *,
    fprs: Sequence[float] = FALSE_POSITIVE_RATES,
    progress: Progress | None = None,
) -> AcceptRates:
    """Return the true positive rate at each false positive rate.

    Args:
        blocks: all queries' keys to the whole gallery, in order.
        matching: the protocol applied.
        fprs: each above 0, at most 1.
        progress: one step per query.

    Raises:
        InputError: a rate that cannot be.
    """
    wrong = [rate for rate in fprs if not 0.0 < rate <= 1.0]
    if wrong or not fprs:
        raise InputError(f"False positive rates {list(fprs)}", allowed="above 0, at most 1")
    total = len(matching.query)
    same = sum(len(matching.positives(query)) for query in range(total))
    kept = sum(len(matching.gallery) - len(matching.removed(query)) for query in range(total))
    different = kept - same
    # as a fraction: 0.29 of 100 pairs are 29, not floor(28.999...)
    allowed = {rate: math.floor(Fraction(str(rate)) * different) for rate in fprs}
    nearest = _Nearest(min(different, max(allowed.values()) + 1))
    of_same = []
    with (progress or Silent()).task("pairs", total) as task:
        for block in blocks:
            for row, keys in enumerate(block.keys):
                query = block.start + row
                distances = block.to_distance(row, keys)
                positives = matching.positives(query)
                of_same.append(distances[positives])
                distances[positives] = np.inf
                distances[matching.removed(query)] = np.inf
                nearest.gather(distances)
            task.advance(len(block.keys))
    if not different:
        return AcceptRates({}, {}, same, different)
    found, ordered = np.concatenate(of_same), nearest.ordered()
    threshold = {
        rate: float(ordered[count]) if count < different else math.inf for rate, count in allowed.items()
    }
    tpr = {rate: float((found < limit).mean()) for rate, limit in threshold.items()}
    return AcceptRates(tpr, threshold, same, different)


def accept_rates(
    evaluation: Evaluation,
    query_vectors: np.ndarray,
    gallery_vectors: np.ndarray,
    *,
    fprs: Sequence[float] = FALSE_POSITIVE_RATES,
    progress: Progress | None = None,
) -> tuple[AcceptRates, ...]:
    """Return the rates of every trial of an evaluation.

    Args:
        evaluation: of these vectors.
        query_vectors: (Q, D) float32. gallery_vectors: (G, D) float32: all that its trials choose from.
        fprs, progress: as for `tpr_at_fpr`.
    """
    return tuple(
        tpr_at_fpr(
            distance_blocks(
                query_vectors[scores.trial.queries],
                gallery_vectors[scores.trial.gallery],
                metric=evaluation.metric,
            ),
            scores.trial.matching,
            fprs=fprs,
            progress=progress,
        )
        for scores in evaluation.trials
    )


def accept_entry(trials: Sequence[AcceptRates]) -> dict[str, float | int]:
    """Return what results.json says under `verification`.

    Returns:
        `tpr@fpr=1e-3` ..., means over the trials; `threshold@fpr=1e-3` ... where there is one trial and
        not all pairs pass; `same_pairs` and `different_pairs` of the first trial.
    """
    first = trials[0]
    entry: dict[str, float | int] = {}
    for rate in first.tpr:
        entry[f"tpr@fpr={_short(rate)}"] = sum(trial.tpr[rate] for trial in trials) / len(trials)
    if len(trials) == 1:
        finite = {rate: limit for rate, limit in first.threshold.items() if math.isfinite(limit)}
        entry.update({f"threshold@fpr={_short(rate)}": limit for rate, limit in finite.items()})
    return {**entry, "same_pairs": first.same, "different_pairs": first.different}


def section(entry: Mapping[str, Any]) -> Section:
    """Show the rates in a table."""
    rates = [key.removeprefix("tpr@fpr=") for key in entry if key.startswith("tpr@fpr=")]
    rows = []
    for rate in rates:
        limit = entry.get(f"threshold@fpr={rate}")
        rows.append((rate, percent(entry[f"tpr@fpr={rate}"]), "" if limit is None else f"{limit:.4f}"))
    text = (
        f"Over {entry['same_pairs']} pairs of one identity and {entry['different_pairs']} of two that the "
        "protocol keeps; accepted where the distance is below the threshold. The threshold was read off "
        "these pairs: elsewhere it has to be chosen anew."
    )
    table = Table(("FPR", "TPR, percent", "threshold"), tuple(rows))
    return Section("Same or not", tables=(table,) if rows else (), text=text)


def _short(rate: float) -> str:
    """Return 0.001 as `1e-3`, 0.05 as `5e-2`."""
    digits, power = f"{rate:e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


class _Nearest:
    """The `count` smallest of many distances that come in parts, in memory for half as many more."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bound = np.float32(np.inf)
        self.buffer = np.empty(count + max(count // 2, _LEAST_GATHERED), dtype=np.float32)
        self.held = 0

    def gather(self, distances: np.ndarray) -> None:
        part = distances[distances < self.bound]  # one equal to the bound would change nothing
        while len(part):
            taken = part[: len(self.buffer) - self.held]
            self.buffer[self.held : self.held + len(taken)] = taken
            self.held += len(taken)
            part = part[len(taken) :]
            if self.held == len(self.buffer):
                self._shrink()
                part = part[part < self.bound]

    def _shrink(self) -> None:
        if self.held > self.count > 0:
            self.buffer[: self.held].partition(self.count - 1)
            self.held, self.bound = self.count, self.buffer[self.count - 1]

    def ordered(self) -> np.ndarray:
        self._shrink()
        return np.sort(self.buffer[: self.held])
