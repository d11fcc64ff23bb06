"""Comparisons as files and tables: the JSON document, and the Markdown that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nextreid.evaluation.permutation import Significance
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.comparison import Difference, PairedComparison
from nextreid.evaluation.results.published.beside import Beside
from nextreid.evaluation.results.published.shown import (
    published_entry,
    published_remarks,
    published_table,
    sources_of,
)
from nextreid.evaluation.results.report_section import Table, percent, points, span
from nextreid.evaluation.results.seeds import Group, PairedSeeds, mean_and_std, spread_entries

FORMAT = "nextreid.comparison/1"


@dataclass(frozen=True)
class Comparison:
    """Everything that one call of `compare` found.

    Attributes:
        groups: of the runs given.
        paired: of exactly two runs, query by query; else None.
        differs: options in which these two differ.
        over_seeds: of exactly two groups of several runs; else None.
        published: beside published results; may be empty.
    """

    groups: tuple[Group, ...] = ()
    paired: PairedComparison | None = None
    differs: tuple[Difference, ...] = ()
    over_seeds: PairedSeeds | None = None
    published: tuple[Beside, ...] = ()


def comparison_document(found: Comparison) -> dict[str, Any]:
    """Return the JSON document of a comparison: fractions 0..1, but `published` in percent as printed."""
    return {
        "format": FORMAT,
        "groups": [_group_entry(group) for group in found.groups],
        "paired": _paired_entry(found.paired) if found.paired else None,
        "differs": [
            {"option": each.option, "first": each.first, "second": each.second} for each in found.differs
        ],
        "over_seeds": _seeds_entry(found.over_seeds) if found.over_seeds else None,
        "published": [published_entry(each) for each in found.published],
    }


def group_table(groups: Sequence[Group]) -> Table:
    """Build the table of groups: mean and spread of each metric over the runs, percent."""
    several = any(len(group.members) > 1 for group in groups)
    header = ("", "runs", *(_short(name) for name in METRIC_NAMES), *(("mAP min to max",) if several else ()))
    rows = []
    for group in groups:
        cells = [group.name, str(len(group.members))]
        cells += [mean_and_std(group.metrics[name], scale=100.0) for name in METRIC_NAMES]
        if several:
            cells.append(span((group.metrics["mAP"].low, group.metrics["mAP"].high)))
        rows.append(tuple(cells))
    title = "Mean and standard deviation over runs, percent" if several else "Results, percent"
    return Table(header, tuple(rows), title=title)


def paired_table(paired: PairedComparison) -> Table:
    """Build the table of a paired comparison, percent and points."""
    rows = []
    for name, tested in paired.metrics.items():
        gap = tested.difference
        rows.append(
            (
                _short(name),
                percent(gap.first),
                percent(gap.second),
                points(gap.difference),
                span(gap.interval, signed=True),
                _p(tested.significance),
            )
        )
    header = ("", paired.first.name, paired.second.name, "difference", "95 %", "p")
    return Table(header, tuple(rows), title=f"Paired over {paired.queries} queries, percent and points")


def seeds_table(paired: PairedSeeds) -> Table:
    """Build the table of two groups over the seeds both have, in points."""
    rows = tuple(
        (
            _short(name),
            points(gap.mean),
            f"{100 * gap.std:.1f}",
            span(gap.interval, signed=True),
            _p(gap.significance),
        )
        for name, gap in paired.metrics.items()
    )
    title = f"{paired.first} minus {paired.second} over {len(paired.seeds)} seeds, points"
    return Table(("", "mean", "std", "95 %", "p"), rows, title=title)


def remarks_of(found: Comparison) -> tuple[str, ...]:
    """Return what has to be read with the tables of runs."""
    remarks = [f"{group.name}: {note}" for group in found.groups for note in group.notes]
    if found.paired:
        remarks.append(
            f"p: two-sided paired permutation test over queries ({found.paired.draws} random signs where not "
            f"exact); 95 %: {found.paired.bootstrap} resamples of the queries. Both take the queries as "
            "independent, and say nothing of other seeds"
        )
    if found.over_seeds and found.over_seeds.reason:
        remarks.append(f"not paired over seeds: {found.over_seeds.reason}")
    elif found.over_seeds:
        n = len(found.over_seeds.seeds)
        remarks.append(
            f"p over seeds: signs flipped seed by seed; with {n} seeds it cannot be below {2 / 2**n:.2g}. "
            "95 %: Student's t over seeds"
        )
    return tuple(remarks)


def comparison_markdown(found: Comparison) -> str:
    """Return the comparison as a Markdown page."""
    parts = ["# Comparison"]
    if found.groups:
        parts += [_titled(group_table(found.groups))]
    if found.paired:
        parts += [_titled(paired_table(found.paired))]
        if found.differs:
            rows = tuple((each.option, str(each.first), str(each.second)) for each in found.differs)
            header = ("option", found.paired.first.name, found.paired.second.name)
            parts.append(_titled(Table(header, rows, title="What differs")))
    if found.over_seeds and found.over_seeds.metrics:
        parts.append(_titled(seeds_table(found.over_seeds)))
    parts += _list(remarks_of(found))
    for beside in found.published:
        parts.append(f"## {beside.dataset}, {beside.setting}")
        parts.append(published_table(beside).markdown())
        parts += _list(published_remarks(beside))
        parts += ["Sources:", "".join(f"{i}. {name}\n" for i, name in enumerate(sources_of(beside), start=1))]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _titled(table: Table) -> str:
    return f"{table.title}:\n\n{table.markdown()}"


def _list(lines: Sequence[str]) -> list[str]:
    return ["".join(f"- {line}\n" for line in lines)] if lines else []


def _short(metric: str) -> str:
    return metric.replace("rank", "R-")


def _p(significance: Significance) -> str:
    shown = f"{significance.p:.4f}" if significance.p >= 0.0001 else f"{significance.p:.1e}"
    return f"{shown} (exact)" if significance.exact else shown


def _group_entry(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "runs": [
            {
                "name": member.name,
                "path": str(member.path),
                "seed": member.seed,
                "selection": member.document.get("selection"),
                "metrics": member.metrics,
            }
            for member in group.members
        ],
        "metrics": spread_entries(group.metrics),
        "notes": list(group.notes),
    }


def _test_entry(significance: Significance) -> dict[str, Any]:
    return {"p": significance.p, "exact": significance.exact}


def _paired_entry(paired: PairedComparison) -> dict[str, Any]:
    return {
        "first": paired.first.name,
        "second": paired.second.name,
        "queries": paired.queries,
        "bootstrap": paired.bootstrap,
        "draws": paired.draws,
        "seed": paired.seed,
        "metrics": {
            name: {
                "first": tested.difference.first,
                "second": tested.difference.second,
                "difference": tested.difference.difference,
                "interval": list(tested.difference.interval),
                **_test_entry(tested.significance),
            }
            for name, tested in paired.metrics.items()
        },
    }


def _seeds_entry(paired: PairedSeeds) -> dict[str, Any]:
    return {
        "first": paired.first,
        "second": paired.second,
        "seeds": list(paired.seeds),
        "reason": paired.reason or None,
        "metrics": {
            name: {
                "n": gap.n,
                "mean": gap.mean,
                "std": gap.std,
                "interval": list(gap.interval),
                **_test_entry(gap.significance),
            }
            for name, gap in paired.metrics.items()
        },
    }
