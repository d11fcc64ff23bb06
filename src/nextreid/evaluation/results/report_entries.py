"""How scores and differences stand in results.json: plain values, fractions 0..1."""

from collections.abc import Mapping
from typing import Any

from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.statistics import PairedDifference


def metrics_entry(evaluation: Evaluation) -> dict[str, Any]:
    """Return the metrics by name, and `<name>_ci: [low, high]` where there are intervals."""
    document: dict[str, Any] = dict(evaluation.metrics)
    document.update({f"{name}_ci": list(interval) for name, interval in evaluation.intervals.items()})
    return document


def gains_entry(gains: Mapping[str, PairedDifference]) -> dict[str, Any]:
    """Return metric -> `difference`, `interval`, and `better` where the interval lies above zero."""
    return {
        name: {"difference": gain.difference, "interval": list(gain.interval), "better": gain.better}
        for name, gain in gains.items()
    }
