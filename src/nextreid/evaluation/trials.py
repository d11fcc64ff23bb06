"""The trials of a protocol in results.json and in tables: each one's scores, and how far they spread."""

from collections.abc import Mapping
from typing import Any

from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.results.report_section import METRIC_HEADER, Section, Table, percent, score_row


def trials_entry(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the entry `trials` of results.json; None where the protocol has one gallery only."""
    draws = evaluation.protocol.draws
    if draws is None:
        return None
    return {
        "draws": draws.summary,
        "scores": [
            {"name": one.trial.name, "gallery": len(one.trial.gallery), "metrics": dict(one.metrics)}
            for one in evaluation.trials
        ],
        "spread": evaluation.spread,
    }


def section(entry: Mapping[str, Any]) -> Section:
    """Show the entry `trials`: a row for each, and the standard deviation over them."""
    rows = [score_row(f"trial {one['name']}", one["metrics"]) for one in entry["scores"]]
    spread = score_row("standard deviation", entry["spread"])
    text = (
        f"The result is the mean over {len(entry['scores'])} galleries: {entry['draws']}. mAP varies by "
        f"{percent(entry['spread']['mAP'])} points from gallery to gallery (standard deviation)."
    )
    return Section("Trials", tables=(Table(METRIC_HEADER, (*rows, spread), title="Each trial"),), text=text)
