"""Results beside the published ones of the same data set and setting, with what stands in the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextreid.errors import InputError
from nextreid.evaluation.results.comparison import split_of
from nextreid.evaluation.results.published.figures import (
    FULL,
    METRICS,
    Conflict,
    Published,
    PublishedDataset,
    PublishedResult,
    published,
)
from nextreid.evaluation.results.scored import Scored
from nextreid.evaluation.results.seeds import Group, Spread, spread

SPLITS = 10
"""Numbered splits of a benchmark: RegDB's ten trials, each with a model of its own (Ye et al., AAAI 2018)."""

AVERAGE = "M(average of 6)"
"""Of the six proper subsets of three modalities, as papers average them."""


@dataclass(frozen=True)
class OwnLine:
    """One group of runs, as a line among the published ones.

    Attributes:
        name: of the group.
        metrics: name in papers -> spread over the runs, in percent.
        selection: how their checkpoints were chosen.
    """

    name: str
    metrics: Mapping[str, Spread]
    selection: str


@dataclass(frozen=True)
class Beside:
    """One data set in one setting.

    Attributes:
        dataset, setting: whose figures these are.
        rows: published, the highest mAP first.
        own: the results beside them; empty where only the published ones were asked for.
        warnings: why the two may not be comparable; the most serious first.
        conflicts: published figures that contradict one another.
        selection: how the epochs behind the published rows were chosen.
    """

    dataset: str
    setting: str
    rows: tuple[PublishedResult, ...]
    own: tuple[OwnLine, ...]
    warnings: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    selection: str


def beside_published(
    groups: Sequence[Group] = (), *, dataset: str | None = None, setting: str | None = None
) -> tuple[Beside, ...]:
    """Put results beside the published ones.

    Args:
        groups: of runs on one data set under one protocol; none: the published ones alone.
        dataset: name in papers; None: the data set that the results name, by layout or folder.
        setting: None: every setting that both have; without results every setting of the data set.

    Raises:
        InputError: data that is no benchmark with published results and no `dataset`, an unknown data
            set or setting, or a setting that the results have no scores for.
    """
    carried = published()
    sample = groups[0].members[0] if groups else None
    chosen = carried.dataset(dataset) if dataset else _recognised(sample, carried)
    if sample is None:
        settings = (setting,) if setting else carried.settings(chosen.name)
        return tuple(_beside(carried, chosen, each, (), ()) for each in settings)
    main = chosen.protocols.get(sample.document["protocol"]["name"], FULL)
    if main not in carried.settings(chosen.name):
        main = carried.settings(chosen.name)[0]
    known = [each for each in carried.settings(chosen.name) if _own(groups, each, main)]
    if setting:
        carried.select(chosen.name, setting)  # an unknown one is named here
        if setting not in known:
            raise InputError(
                f"{sample.path} has no scores in the setting {setting!r}",
                allowed="; ".join(known),
                do="evaluate with --scenario missing" if setting.startswith("M(") else None,
            )
        known = [setting]
    return tuple(
        _beside(
            carried,
            chosen,
            each,
            _own(groups, each, main),
            _warnings(groups, chosen, each, each == main),
        )
        for each in known
    )


def _recognised(sample: Scored | None, carried: Published) -> PublishedDataset:
    names = ", ".join(carried.datasets)
    if sample is None:
        raise InputError("There are no results and no data set to show", do=f"add --dataset, one of {names}")
    data = sample.document["data"]
    found = carried.dataset_of(str(data.get("name")), sample.document.get("settings", {}).get("layout"))
    if found is None:
        raise InputError(
            f"{sample.path} was scored on {data.get('name')!r}, which is no benchmark with published results",
            allowed=names,
            do="add --dataset NAME if it is one of these under another name",
        )
    return found


def _beside(
    carried: Published,
    dataset: PublishedDataset,
    setting: str,
    own: tuple[OwnLine, ...],
    warnings: tuple[str, ...],
) -> Beside:
    return Beside(
        dataset=dataset.name,
        setting=setting,
        rows=carried.select(dataset.name, setting),
        own=own,
        warnings=(*warnings, *([f"{dataset.name}: {dataset.note}"] if dataset.note else [])),
        conflicts=carried.contradictions(dataset.name, setting),
        selection=carried.selection,
    )


def _own(groups: Sequence[Group], setting: str, main: str) -> tuple[OwnLine, ...]:
    """Return a line for each group all of whose members have scores in this setting."""
    lines = []
    for group in groups:
        scores = [_scores(member, setting, main) for member in group.members]
        there = [each for each in scores if each]
        if len(there) < len(group.members):
            continue
        metrics = {
            printed: spread([100.0 * each[name] for each in there])
            for printed, name in METRICS.items()
            if all(name in each for each in there)
        }
        chosen = dict.fromkeys(str(member.document.get("selection")) for member in group.members)
        lines.append(OwnLine(group.name, metrics, "; ".join(chosen)))
    return tuple(lines)


def _scores(result: Scored, setting: str, main: str) -> Mapping[str, float]:
    """Return the metrics of one result in a setting, 0..1; {} where it has none."""
    if setting == main:
        return result.metrics
    rows = result.document.get("scenarios", {}).get("missing", {}).get("rows", ())
    scored = {_absent(row["name"]): row["metrics"] for row in rows if row["metrics"]}
    if setting == AVERAGE:
        if len(scored) != 6:
            return {}
        return {name: sum(each[name] for each in scored.values()) / 6 for name in METRICS.values()}
    return scored.get(_absent(setting), {}) if setting.startswith("M(") else {}


def _absent(setting: str) -> frozenset[str]:
    """Return the modalities that M(RGB+NIR) leaves out, in lower case."""
    return frozenset(setting.removeprefix("M(").removesuffix(")").lower().split("+"))


def _warnings(
    groups: Sequence[Group], dataset: PublishedDataset, setting: str, headline: bool
) -> tuple[str, ...]:
    sample = groups[0].members[0]
    document = sample.document
    data, settings = document["data"], document.get("settings", {})
    layout = str(settings.get("layout") or "")
    protocol = document["protocol"]["name"]
    found = []
    if published().dataset_of(str(data.get("name")), layout) != dataset:
        found.append(
            f"these results were scored on {data.get('name')!r}, which does not call itself {dataset.name}: "
            "on other data the figures cannot be compared"
        )
    if split_of(sample):
        for group in groups:
            count = len({split_of(member) for member in group.members})
            if count < SPLITS:
                found.append(f"{group.name}: {count} of {SPLITS} splits; published rows are means over all")
    elif "@" in layout:
        found.append(f"{layout} is a variant: its test set is not the one of the published rows")
    if protocol not in dataset.protocols:
        usual = " or ".join(dataset.protocols)
        found.append(f"published rows are under {usual}, these results under {protocol}: not comparable")
    if not headline:
        found.append(
            f"{setting}: these results are of fill {settings.get('fill', 'mask')}; most published methods "
            "set an absent image to zero after normalisation (fill zero), TOP-ReID reconstructs it"
        )
    return tuple(found)
