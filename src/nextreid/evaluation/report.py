"""Result files: results.json, the per-query table beside it, and tables for people.

Fractions 0..1 in files, percent in tables.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nextreid.atomic import written_whole
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.provenance import Source, checksum, hardware, versions
from nextreid.evaluation.ranking import METRIC_NAMES, Ranking
from nextreid.evaluation.scenarios import MissingRow
from nextreid.evaluation.statistics import PairedDifference

FORMAT = "nextreid.results/1"


@dataclass(frozen=True, eq=False)
class Control:
    """Another method scored on the same queries, for comparison.

    Attributes:
        name: e.g. `colour-histogram`, `untrained`.
        evaluation: its scores.
        gain: metric -> the result minus this control, paired over queries.
    """

    name: str
    evaluation: Evaluation
    gain: Mapping[str, PairedDifference]


@dataclass(frozen=True)
class Table:
    """Rows of text for a terminal or a Markdown file."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown; the first column to the left, the others to the right."""
        rule = ("---", *("---:" for _ in self.header[1:]))
        return "".join(f"| {' | '.join(row)} |\n" for row in (self.header, rule, *self.rows))


def results_document(
    evaluation: Evaluation,
    *,
    data: Source,
    selection: str,
    model: Source | None = None,
    embeddings: Source | None = None,
    missing: Sequence[MissingRow] = (),
    branches: Mapping[str, Evaluation] | None = None,
    controls: Sequence[Control] = (),
    settings: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Return the content of results.json.

    Args:
        evaluation: the scores.
        data: the manifest.
        selection: how the checkpoint was chosen, e.g. `best validation mAP` or `last epoch`.
        model: the model folder, where one was used.
        embeddings: the embeddings file, where one was used or written.
        missing: rows of the scenario `missing`, where it was run.
        branches: the scores of each branch of the vectors alone.
        controls: what the result is compared with.
        settings: what else the scores depend on, e.g. `{"captions": false}`; plain JSON values.
        training: the seed and the configuration the model was trained with, where known.
        device: what the model ran on.
    """
    scenarios: dict[str, Any] = {}
    if missing:
        scenarios["missing"] = {"rows": [_missing_entry(row) for row in missing]}
    return {
        "format": FORMAT,
        "metrics": _metrics(evaluation),
        "chance": dict(evaluation.chance),
        "queries": asdict(evaluation.counts),
        "protocol": {"name": evaluation.protocol.name, "version": evaluation.protocol.version},
        "metric": evaluation.metric,
        "bootstrap": evaluation.bootstrap,
        "seed": evaluation.seed,
        "selection": selection,
        "settings": dict(settings or {}),
        "data": {"name": data.name, "path": data.path, "sha256": data.sha256},
        "model": _source(model),
        "embeddings": _source(embeddings),
        "training": dict(training) if training else None,
        "branches": {name: _metrics(alone) for name, alone in (branches or {}).items()},
        "controls": {
            control.name: {"metrics": _metrics(control.evaluation), "gain": _gains(control.gain)}
            for control in controls
        },
        "scenarios": scenarios,
        "versions": versions(),
        "hardware": hardware(device),
    }


def write_results(document: Mapping[str, Any], ranking: Ranking, out: Path | str) -> tuple[Path, Path]:
    """Write results.json and, beside it, `<stem>.per_query.parquet`.

    Args:
        document: of `results_document`.
        ranking: of the same evaluation.
        out: a path that ends in .json.

    Returns:
        The two paths.

    Raises:
        InputError: another suffix, or a number that is NaN or infinite.
    """
    out = Path(out)
    if out.suffix != ".json":
        raise InputError(f"{out} is not a name for results", allowed="a path that ends in .json")
    try:
        sealed = {**document, "checksum": checksum(document)}
        text = json.dumps(sealed, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"Results for {out} hold a value that JSON cannot: {error}") from error
    table = out.with_name(f"{out.stem}.per_query.parquet")
    with written_whole(table) as temporary:
        per_query(ranking).to_parquet(temporary, index=False)
    with written_whole(out) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return out, table


def read_results(path: Path | str) -> dict[str, Any]:
    """Read a results.json.

    Raises:
        InputError: no file, no JSON, or another format.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no results file {path}", do="write it with `nextreid evaluate`")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise InputError(f"{path} has the format {found!r}", allowed=FORMAT)
    return dict(document)


def per_query(ranking: Ranking) -> pd.DataFrame:
    """Return one row per query: query, ap, inp, first_match_rank, valid.

    Queries without a match left have valid = false and the three numbers empty.
    """
    first = pd.array(ranking.first_match_rank, dtype="Int64")
    first[~ranking.valid] = pd.NA
    return pd.DataFrame(
        {
            "query": ranking.matching.query.tolist(),
            "ap": ranking.ap,
            "inp": ranking.inp,
            "first_match_rank": first,
            "valid": ranking.valid,
        }
    )


def metrics_table(document: Mapping[str, Any], *, title: str = "result") -> Table:
    """Build the table of a results document, in percent: result, branches, controls, chance, M(X)."""
    rows = [_row(title, document["metrics"])]
    for name, branch in document["branches"].items():
        rows.append(_row(f"branch {name}", branch))
    for name, control in document["controls"].items():
        rows.append(_row(name, control["metrics"]))
    rows.append(_row("chance", document["chance"]))
    for entry in document["scenarios"].get("missing", {}).get("rows", ()):
        rows.append(_row(entry["name"], entry["metrics"] or {}))
    return Table(header=("", "mAP", "95 %", "R-1", "95 %", "R-5", "R-10", "R-20", "mINP"), rows=tuple(rows))


def gains_table(document: Mapping[str, Any]) -> Table:
    """Build the table of differences: the result minus each control and each M(X), in points."""
    gains = [(name, control["gain"]) for name, control in document["controls"].items()]
    gains += [
        (entry["name"], entry["gain"])
        for entry in document["scenarios"].get("missing", {}).get("rows", ())
        if entry["metrics"]
    ]
    rows = []
    for name, gain in gains:
        cells = [f"minus {name}"]
        for metric in ("mAP", "rank1"):
            if metric in gain:
                low, high = gain[metric]["interval"]
                cells += [
                    f"{100 * gain[metric]['difference']:+.1f}",
                    f"{100 * low:+.1f} to {100 * high:+.1f}",
                ]
            else:
                cells += ["", ""]
        rows.append(tuple(cells))
    return Table(header=("", "mAP", "95 %", "R-1", "95 %"), rows=tuple(rows))


def _row(name: str, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    cells = [name]
    for metric in METRIC_NAMES:
        cells.append(f"{100 * metrics[metric]:.1f}" if metric in metrics else "")
        if metric in ("mAP", "rank1"):
            interval = metrics.get(f"{metric}_ci")
            cells.append(f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}" if interval else "")
    return tuple(cells)


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    document: dict[str, Any] = dict(evaluation.metrics)
    document.update({f"{name}_ci": list(interval) for name, interval in evaluation.intervals.items()})
    return document


def _source(source: Source | None) -> dict[str, str] | None:
    return None if source is None else {"path": source.path, "sha256": source.sha256}


def _gains(gains: Mapping[str, PairedDifference]) -> dict[str, Any]:
    return {
        name: {"difference": gain.difference, "interval": list(gain.interval), "better": gain.better}
        for name, gain in gains.items()
    }


def _missing_entry(row: MissingRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "absent": list(row.absent),
        "shown": list(row.shown),
        "left_out": row.left_out,
        "metrics": _metrics(row.evaluation) if row.evaluation else None,
        "queries": asdict(row.evaluation.counts) if row.evaluation else None,
        "gain": _gains(row.gain),
        "reason": row.reason or None,
    }
