"""The published figures: `results.json` beside this file, read into typed rows and selected from.

Every row names where its figures were read; rows that contradict one another are listed as conflicts.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from nextreid.errors import InputError

FORMAT = "nextreid.published/1"
FULL = "full"
"""The setting with every modality there."""

METRICS: Mapping[str, str] = MappingProxyType(
    {"mAP": "mAP", "R1": "rank1", "R5": "rank5", "R10": "rank10", "R20": "rank20", "mINP": "mINP"}
)
"""Name in papers -> name in results.json."""

REPORTED_BY = ("own", "quoted", "third-party")
"""By the method's authors; by the authors of another paper; by somebody else, not checked in the paper."""


@dataclass(frozen=True)
class PublishedResult:
    """One method on one data set in one setting, as printed.

    Attributes:
        method, backbone: as the source calls them.
        dataset: e.g. `RGBNT201`.
        setting: `full`, `M(X)` with X missing at test time in query and gallery, or a protocol's words.
        metrics: name of `METRICS` -> percent; only those printed.
        source: where the figures were read.
        reported_by: one of `REPORTED_BY`.
        year, venue: where the source states them.
        note: what else one has to know; may be empty.
    """

    method: str
    backbone: str
    dataset: str
    setting: str
    metrics: Mapping[str, float]
    source: str
    reported_by: str
    year: int | None = None
    venue: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Conflict:
    """Figures that sources give differently, e.g. one row in three tables."""

    methods: tuple[str, ...]
    dataset: str
    setting: str
    readings: tuple[str, ...]


@dataclass(frozen=True)
class PublishedDataset:
    """A data set with published figures.

    Attributes:
        name: as papers call it.
        layout: the benchmark's layout here.
        protocols: protocol here -> the setting whose figures were made under it.
        note: what stands in the way of a comparison; may be empty.
    """

    name: str
    layout: str
    protocols: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True)
class Published:
    """All that is carried.

    Attributes:
        rows: every figure.
        conflicts: known contradictions.
        datasets: by name.
        selection: how the epochs behind the rows were chosen, in words.
        prepared: how the rows came here, in words.
    """

    rows: tuple[PublishedResult, ...]
    conflicts: tuple[Conflict, ...]
    datasets: Mapping[str, PublishedDataset]
    selection: str
    prepared: str

    def settings(self, dataset: str) -> tuple[str, ...]:
        """Return the settings that have rows for a data set, in the order of the file.

        Raises:
            InputError: no such data set.
        """
        name = self.dataset(dataset).name
        return tuple(dict.fromkeys(row.setting for row in self.rows if row.dataset == name))

    def dataset(self, name: str) -> PublishedDataset:
        """Return a data set by its name; capitals and what is neither letter nor digit do not count.

        Raises:
            InputError: no figures of it.
        """
        for each in self.datasets.values():
            if _plain(each.name) == _plain(name):
                return each
        raise InputError(
            f"There are no published results of {name!r}{_nearest(name, self.datasets)}",
            allowed=", ".join(self.datasets),
        )

    def select(self, dataset: str, setting: str = FULL) -> tuple[PublishedResult, ...]:
        """Return the rows of a data set and setting, the highest mAP first.

        Raises:
            InputError: none; the settings that have some are named.
        """
        known = self.settings(dataset)
        if setting not in known:
            raise InputError(
                f"There are no published results of {dataset} in the setting {setting!r}"
                f"{_nearest(setting, known)}",
                allowed="; ".join(known),
            )
        name = self.dataset(dataset).name
        rows = [row for row in self.rows if (row.dataset, row.setting) == (name, setting)]
        return tuple(sorted(rows, key=lambda row: -row.metrics["mAP"]))

    def contradictions(self, dataset: str, setting: str) -> tuple[Conflict, ...]:
        """Return the known conflicts among the rows of a data set and setting."""
        return tuple(each for each in self.conflicts if (each.dataset, each.setting) == (dataset, setting))

    def dataset_of(self, name: str, layout: str | None = None) -> PublishedDataset | None:
        """Return the published data set that a data set here is, by layout or else by its name.

        Args:
            name: of the data, e.g. a folder's.
            layout: of the data, where known; a variant (`wmveid863@clean`) counts as its benchmark.
        """
        wanted = _plain((layout or "").partition("@")[0]) or _plain(name)
        for each in self.datasets.values():
            if wanted in (_plain(each.layout), _plain(each.name)):
                return each
        return None


@cache
def published() -> Published:
    """Read the figures that the package carries.

    Raises:
        InputError: the file is not what the package shipped.
    """
    file = resources.files(__package__).joinpath("results.json")
    document: Any = json.loads(file.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise InputError(f"{file} has the format {document.get('format')!r}", allowed=FORMAT)
    return Published(
        rows=tuple(_row(entry) for entry in document["rows"]),
        conflicts=tuple(
            Conflict(tuple(entry["methods"]), entry["dataset"], entry["setting"], tuple(entry["readings"]))
            for entry in document["conflicts"]
        ),
        datasets=MappingProxyType(
            {
                entry["name"]: PublishedDataset(
                    entry["name"],
                    entry["layout"],
                    MappingProxyType(dict(entry["protocols"])),
                    entry.get("note", ""),
                )
                for entry in document["datasets"]
            }
        ),
        selection=document["selection"],
        prepared=document["prepared"],
    )


def _row(entry: Mapping[str, Any]) -> PublishedResult:
    metrics = {name: float(entry[name]) for name in METRICS if entry.get(name) is not None}
    if entry["reported_by"] not in REPORTED_BY or not all(0 <= value <= 100 for value in metrics.values()):
        raise InputError(f"A published result is not in percent, or of unknown origin: {dict(entry)}")
    return PublishedResult(
        method=entry["method"],
        backbone=entry["backbone"],
        dataset=entry["dataset"],
        setting=entry["setting"],
        metrics=MappingProxyType(metrics),
        source=entry["source"],
        reported_by=entry["reported_by"],
        year=entry["year"],
        venue=entry["venue"],
        note=entry.get("note", ""),
    )


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; the nearest is {near[0]!r}" if near else ""
