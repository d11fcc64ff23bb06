"""Result files: results.json and the per-query table beside it. Fractions 0..1."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nextreid.atomic import written_whole
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.ranking import CMC_RANKS, METRIC_NAMES, Ranking
from nextreid.evaluation.results.provenance import Source, checksum, hardware, versions
from nextreid.evaluation.results.report_entries import gains_entry, metrics_entry
from nextreid.evaluation.statistics import PairedDifference
from nextreid.evaluation.trials import trials_entry

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


def results_document(
    evaluation: Evaluation,
    *,
    data: Source,
    selection: str,
    model: Source | None = None,
    embeddings: Source | None = None,
    scenarios: Mapping[str, Any] | None = None,
    scenarios_left_out: Mapping[str, str] | None = None,
    beside: Mapping[str, Any] | None = None,
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
        scenarios: name -> entry, of those that were run.
        scenarios_left_out: name -> why it was not run though all were asked for.
        beside: entries by key that stand beside the plain score: `verification`, `reranked`.
        branches: the scores of each branch of the vectors alone.
        controls: what the result is compared with.
        settings: what else the scores depend on, e.g. `{"captions": false}`; plain JSON values.
        training: the seed and the configuration the model was trained with, where known.
        device: what the model ran on.
    """
    return {
        "format": FORMAT,
        "metrics": metrics_entry(evaluation),
        "chance": dict(evaluation.chance),
        "queries": asdict(evaluation.counts),
        "protocol": {"name": evaluation.protocol.name, "version": evaluation.protocol.version},
        "trials": trials_entry(evaluation),
        "metric": evaluation.metric,
        "bootstrap": evaluation.bootstrap,
        "seed": evaluation.seed,
        "selection": selection,
        "settings": dict(settings or {}),
        "data": {"name": data.name, "path": data.path, "sha256": data.sha256},
        "model": _source(model),
        "embeddings": _source(embeddings),
        "training": dict(training) if training else None,
        **(beside or {}),
        "branches": {name: metrics_entry(alone) for name, alone in (branches or {}).items()},
        "controls": {
            control.name: {"metrics": metrics_entry(control.evaluation), "gain": gains_entry(control.gain)}
            for control in controls
        },
        "scenarios": dict(scenarios or {}),
        "scenarios_left_out": dict(scenarios_left_out or {}),
        "versions": versions(),
        "hardware": hardware(device),
    }


def write_results(
    document: Mapping[str, Any], scored: PerQuery | Ranking, out: Path | str
) -> tuple[Path, Path]:
    """Write results.json and, beside it, `<stem>.per_query.parquet`.

    Args:
        document: of `results_document`.
        scored: every query's scores, `per_query` of the same evaluation.
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
        text = json.dumps(sealed(document), indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"Results for {out} hold a value that JSON cannot: {error}") from error
    table = out.with_name(f"{out.stem}.per_query.parquet")
    with written_whole(table) as temporary:
        per_query(scored).to_parquet(temporary, index=False)
    with written_whole(out) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return out, table


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the checksum that its file carries.

    Raises:
        ValueError: a number that is NaN or infinite.
    """
    return {**document, "checksum": checksum(json.dumps(document, allow_nan=False))}


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


def per_query(scored: PerQuery | Ranking) -> pd.DataFrame:
    """Return one row per query: query, ap, inp, first_match_rank, valid.

    Queries without a match left have valid = false and the three numbers empty. Of several trials the
    numbers are means, and `rank1` to `rank20`, the share of trials with a match so far up, are there too.
    """
    mean = scored if isinstance(scored, PerQuery) else PerQuery.over([scored])
    of = dict(zip(METRIC_NAMES, mean.values.T, strict=True))
    first = pd.array(mean.first_match_rank, dtype="Float64")
    first[~mean.valid] = pd.NA
    columns = {"query": mean.query.tolist(), "ap": of["mAP"], "inp": of["mINP"]}
    if mean.trials > 1:
        columns |= {f"rank{k}": of[f"rank{k}"] for k in CMC_RANKS}
    columns["first_match_rank"] = first.astype("Int64") if mean.trials == 1 else first
    return pd.DataFrame(columns | {"valid": mean.valid})


def _source(source: Source | None) -> dict[str, str] | None:
    return None if source is None else {"path": source.path, "sha256": source.sha256}
