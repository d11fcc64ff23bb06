"""A result read back: results.json, the per-query table beside it, and how its model was trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nextreid.errors import InputError
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.ranking import CMC_RANKS, METRIC_NAMES
from nextreid.evaluation.results.report import FORMAT, read_results

TOLERANCE = 1e-9
"""How far a mean of the per-query table may lie from the metric in results.json (ours: both come from
the same float64 numbers; only the order of summation may differ)."""

COLUMNS = ("query", "ap", "inp", "first_match_rank", "valid")
"""Of the per-query table; `rank<k>` columns, where there are some, stand before `first_match_rank`."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One result file.

    Attributes:
        path: of results.json.
        name: what tables call it.
        document: its content.
        seed: that the model was trained with; None where not known. (The `seed` of results.json is
            that of the resamples.)
        config: the configuration of the training without the seed; None where not known.
    """

    path: Path
    name: str
    document: Mapping[str, Any]
    seed: int | None
    config: Mapping[str, Any] | None

    @property
    def metrics(self) -> dict[str, float]:
        """The six metrics, 0..1."""
        return {name: float(self.document["metrics"][name]) for name in METRIC_NAMES}

    @property
    def table(self) -> Path:
        """Where the per-query table lies."""
        return self.path.with_name(f"{self.path.stem}.per_query.parquet")

    @cached_property
    def per_query(self) -> PerQuery:
        """The per-query table.

        Raises:
            InputError: there is none, a column is missing, or its means are not the metrics.
        """
        found = read_per_query(self.table)
        if not found.valid.any():
            raise InputError(f"{self.table} has no valid query", do="evaluate again")
        for name, mean in found.metrics().items():
            if abs(mean - self.metrics[name]) > TOLERANCE:
                raise InputError(
                    f"{self.table} does not belong to {self.path}: its mean {name} is {mean}, the file says "
                    f"{self.metrics[name]}",
                    do="evaluate again, or ask `nextreid verify` which of the two is wrong",
                )
        return found


def read_scored(paths: Sequence[Path | str]) -> tuple[Scored, ...]:
    """Read results, each by its file or by a folder that holds one (`results.json`, or a single other).

    Raises:
        InputError: none there, several, another format, or one file given twice.
    """
    files = [results_file(path) for path in paths]
    seen: dict[Path, Path] = {}
    for file in files:
        if file.resolve() in seen:
            raise InputError(f"{file} is given twice", allowed="each result once")
        seen[file.resolve()] = file
    short = [_label(file) for file in files]
    names = short if len(set(short)) == len(short) else [str(file) for file in files]
    return tuple(_read(file, name) for file, name in zip(files, names, strict=True))


def results_file(path: Path | str) -> Path:
    """Return the results file that a path means: itself, or the one in a folder of that name.

    Raises:
        InputError: neither, or a folder that holds none or several.
    """
    path = Path(path)
    if path.is_file() or path.suffix == ".json":
        return path
    if not path.is_dir():
        raise InputError(f"There is no results file and no folder {path}")
    if (path / "results.json").is_file():
        return path / "results.json"
    found = [file for file in sorted(path.glob("*.json")) if _is_results(file)]
    if len(found) == 1:
        return found[0]
    model = path / "model" if (path / "model").is_dir() else Path("M")
    raise InputError(
        f"{path} holds {', '.join(file.name for file in found) if found else 'no results'}",
        allowed="a folder with results.json, or with one results file of another name",
        do="give one of them"
        if found
        else f"nextreid evaluate --model {model} --data D --out {path}/results.json",
    )


def read_per_query(path: Path, *, trials: int = 1) -> PerQuery:
    """Read a per-query table, whose values are means over so many trials.

    Raises:
        InputError: no such file, not a table, a missing column, or a query that occurs twice.
    """
    if not path.is_file():
        raise InputError(f"There is no per-query table {path}", do="evaluate again: it is written each time")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable Parquet table: {error}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing or table["query"].duplicated().any():
        fault = f"has no column {', '.join(missing)}" if missing else "names a query twice"
        raise InputError(f"{path} {fault}", allowed=", ".join(COLUMNS))
    valid = table["valid"].to_numpy(dtype=bool)
    values = np.full((len(table), len(METRIC_NAMES)), np.nan)
    first = np.where(valid, table["first_match_rank"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)
    columns = {"mAP": table["ap"].to_numpy(dtype=np.float64), "mINP": table["inp"].to_numpy(dtype=np.float64)}
    for k in CMC_RANKS:
        name = f"rank{k}"
        columns[name] = table[name].to_numpy(dtype=np.float64) if name in table.columns else first <= k
    for place, name in enumerate(METRIC_NAMES):
        values[valid, place] = columns[name][valid]
    return PerQuery(table["query"].astype(str).to_numpy(dtype=np.str_), valid, values, first, trials)


def _label(file: Path) -> str:
    """Return what tables call a file: its own name, or its folder's where that was given and says more."""
    folder = file.parent.name if file.parent.name != ".." else file.parent.resolve().name
    return folder if folder and file.stem == "results" else file.stem


def _is_results(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


def _read(path: Path, name: str) -> Scored:
    document = read_results(path)
    sections = ("metrics", "data", "protocol", "settings", "scenarios")
    missing = [key for key in sections if not isinstance(document.get(key), Mapping)]
    if not missing:
        metrics = document["metrics"]
        missing = [key for key in METRIC_NAMES if not isinstance(metrics.get(key), int | float)]
        missing += [key for key in ("metric",) if key not in document]
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}", do="evaluate again")
    seed, config = _training(path, document)
    return Scored(path, name, document, seed, config)


def _training(path: Path, document: Mapping[str, Any]) -> tuple[int | None, Mapping[str, Any] | None]:
    """Return seed and configuration, from the file, or else from the run that it lies in."""
    noted = document.get("training")
    if isinstance(noted, Mapping):
        seed, config = noted.get("seed"), noted.get("config")
        return (seed if isinstance(seed, int) else None), (config if isinstance(config, Mapping) else None)
    for folder in (path.absolute().parent, path.absolute().parent / "run"):  # RUN; the quickstart's
        file = folder / "config.yaml"
        if file.is_file() and (folder / "model").is_dir():
            try:
                options = yaml.safe_load(file.read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise InputError(f"{file} is not YAML: {error}") from error
            if isinstance(options, dict):
                return options.pop("seed", None), options
    return None, None
