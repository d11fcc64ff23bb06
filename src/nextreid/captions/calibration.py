"""What a confidence is worth: maps from what was stated to the share that is right, fitted on labels.

A map is a monotone step function (isotonic regression, the pool-adjacent-violators algorithm), drawn through
the centres of its steps. There is one for each model and modality, one for what the models of an image say
together, and one for what the images of an observation say together.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nextreid.atomic import written_whole
from nextreid.errors import InputError

FORMAT = "nextreid.calibration/1"

LEAST = 30
"""Labelled claims below which no map is drawn: ours; a share of 30 is known to about 9 points either way."""

PRIOR = 1.0
"""Claims of average precision that each step is given besides its own: ours; no step ends at 0 or 1."""


@dataclass(frozen=True)
class Map:
    """A monotone map of confidences.

    Attributes:
        stated: rising confidences, 0..1.
        worth: what they are worth, 0..1, not falling; between them it is interpolated.
        claims: labelled claims that it was fitted on.
    """

    stated: tuple[float, ...]
    worth: tuple[float, ...]
    claims: int

    def __call__(self, confidence: float) -> float:
        """Return what a confidence is worth."""
        return float(np.interp(confidence, self.stated, self.worth))


@dataclass(frozen=True)
class Calibration:
    """What confidences are worth; without maps: what they say.

    Attributes:
        claims: (model, modality) -> map of the confidences that a model states. For a model that is not
            listed in the modality, its confidences stay as they are.
        own_map: of what the models of one image say together, or None.
        fused_map: of what several images say together, or None.
        threshold: from which on an image's own values are as precise as was asked for, or None.
        complement_threshold: the same for what several images say together.
        notes: plain values about the fit: data, target, figures on held-out rows.
    """

    claims: Mapping[tuple[str, str], Map] = field(default_factory=dict)
    own_map: Map | None = None
    fused_map: Map | None = None
    threshold: float | None = None
    complement_threshold: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, model: str, modality: str, confidence: float) -> float:
        """Return what a model's stated confidence is worth, 0..1."""
        found = self.claims.get((model, modality))
        return confidence if found is None else found(confidence)

    def own(self, confidence: float) -> float:
        """Return what the confidence of an image's models together is worth, 0..1."""
        return confidence if self.own_map is None else self.own_map(confidence)

    def fused(self, confidence: float) -> float:
        """Return what the confidence of an observation's images together is worth, 0..1."""
        return confidence if self.fused_map is None else self.fused_map(confidence)


def fit_map(claims: Sequence[tuple[float, bool]]) -> Map | None:
    """Fit a map to labelled claims; None for fewer than `LEAST`.

    Args:
        claims: (stated confidence 0..1, whether the value was right) of each.
    """
    from scipy.optimize import isotonic_regression

    if len(claims) < LEAST:
        return None
    stated, truth = np.array(claims, np.float64).T
    # claims of one confidence are one point: whichever came first must not matter
    points, place, counts = np.unique(stated, return_inverse=True, return_counts=True)
    shares = np.bincount(place, truth) / counts
    steps = isotonic_regression(shares, weights=counts.astype(np.float64)).blocks
    centres, worth = [], []
    for start, end in pairwise(steps):
        weight = counts[start:end].astype(np.float64)
        centres.append(float(np.average(points[start:end], weights=weight)))
        hits = float((shares[start:end] * weight).sum())
        worth.append((hits + PRIOR * truth.mean()) / (weight.sum() + PRIOR))
    # the prior may let a short step pass its neighbour
    return Map(tuple(centres), tuple(np.maximum.accumulate(worth).tolist()), len(stated))


def write_calibration(calibration: Calibration, path: str | Path) -> None:
    """Write a calibration as JSON; the file appears whole or not at all."""
    document = {
        "format": FORMAT,
        "claims": [
            {"model": model, "modality": modality, **_map_values(part)}
            for (model, modality), part in sorted(calibration.claims.items())
        ],
        "own": _map_values(calibration.own_map) if calibration.own_map else None,
        "fused": _map_values(calibration.fused_map) if calibration.fused_map else None,
        "threshold": calibration.threshold,
        "complement_threshold": calibration.complement_threshold,
        "notes": dict(calibration.notes),
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_calibration(path: str | Path) -> Calibration:
    """Read a calibration.

    Raises:
        InputError: no such file, or one that `caption calibrate` did not write.
    """
    path = Path(path)
    do = "write one with `nextreid caption calibrate`"
    if not path.is_file():
        raise InputError(f"There is no calibration {path}", do=do)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise InputError(f"{path}: the format is {document['format']!r}", allowed=FORMAT)
        return Calibration(
            claims={(str(part["model"]), str(part["modality"])): _map(part) for part in document["claims"]},
            own_map=_map(document["own"]) if document["own"] else None,
            fused_map=_map(document["fused"]) if document["fused"] else None,
            threshold=_share(document["threshold"]),
            complement_threshold=_share(document["complement_threshold"]),
            notes=dict(document["notes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {type(error).__name__} {error}", do=do) from error


def _map_values(part: Map) -> dict[str, Any]:
    return {"stated": list(part.stated), "worth": list(part.worth), "claims": part.claims}


def _share(value: Any) -> float | None:
    if value is not None and not 0.0 <= float(value) <= 1.0:
        raise ValueError(f"the threshold {value}")
    return None if value is None else float(value)


def _map(values: Mapping[str, Any]) -> Map:
    stated, worth = (tuple(float(x) for x in values[name]) for name in ("stated", "worth"))
    rising = all(a < b for a, b in pairwise(stated))
    inside = all(0.0 <= x <= 1.0 for x in (*stated, *worth))
    if not stated or len(stated) != len(worth) or not rising or not inside or list(worth) != sorted(worth):
        raise ValueError("a map must rise, within 0..1")
    return Map(stated, worth, int(values["claims"]))
