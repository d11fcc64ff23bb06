"""What a probe says, as probe.json and as tables. Fractions 0..1 in files, percent in tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nextreid.atomic import written_whole
from nextreid.evaluation.probe.attributes import AttributeScore
from nextreid.evaluation.probe.pointing import PointingScore
from nextreid.evaluation.probe.probe import Probe, ProbeSettings
from nextreid.evaluation.probe.retrieval import RetrievalScore
from nextreid.evaluation.results.provenance import Source, hardware, versions
from nextreid.evaluation.results.report_section import Table

FORMAT = "nextreid.probe/1"

READING = {
    "attributes": "Balanced accuracy, times chance / values to choose from. *: below twice chance (of two "
    "values: less than half of chance's error removed).",
    "retrieval": "Rank-1 with its 95 % interval; chance: a random order; constant: the one candidate that "
    "fits most queries, every time. Specific: sentences that are true of a tenth of the gallery at most.",
    "pointing": "Share of sentences whose most similar patch lies on the part they name / share of all "
    "patches that do / the same for one constant patch, chosen on the other split. Away: only the images "
    "where that patch misses.",
}
"""How to read each table."""

Values = dict[str, Any]


def probe_document(
    found: Probe,
    *,
    model: Mapping[str, Any],
    data: Source,
    kind: str,
    split: str,
    settings: ProbeSettings,
    left_out: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Values:
    """Return the content of probe.json; the same probe gives the same content.

    Args:
        found: the scores.
        model: source, form, origin, sha256, size ... of what was probed.
        data: the manifest. kind, split: of its observations.
        settings: how it was probed.
        left_out: images that could not be read.
        device: what the model ran on.
    """
    return {
        "format": FORMAT,
        "model": dict(model),
        "data": {
            "name": data.name,
            "path": data.path,
            "sha256": data.sha256,
            "kind": kind,
            "split": split,
            "images": dict(found.images),
        },
        "settings": {"least": settings.least, "sentences": settings.sentences, "gallery": settings.gallery},
        "seed": settings.seed,
        "summary": summary(found),
        "attributes": [_attribute(score) for score in found.attributes],
        "retrieval": [_retrieval(score) for score in found.retrieval],
        "pointing": [_pointing(score) for score in found.pointing],
        "unmeasured": [asdict(gap) for gap in found.unmeasured],
        "left_out": dict(left_out or {}),
        "versions": versions(),
        "hardware": hardware(device),
    }


def summary(found: Probe) -> Values:
    """Return the means over attributes, what is below twice chance, and the ratios to chance."""
    cuts = sorted({(score.cut, score.modality) for score in found.attributes})
    attributes: Values = {cut: {} for cut, _ in cuts}
    for cut, modality in cuts:
        scores = [score for score in found.attributes if (score.cut, score.modality) == (cut, modality)]
        attributes[cut][modality] = {
            "attributes": len(scores),
            "balanced": _mean([score.balanced for score in scores]),
            "chance": _mean([score.chance for score in scores]),
            "error_removed": _mean([score.error_removed for score in scores]),
        }
    modalities = dict.fromkeys(score.modality for score in found.pointing)
    pointing = {
        modality: _pointed([s for s in found.pointing if (s.level, s.modality) == ("attribute", modality)])
        for modality in modalities
    }
    if len(modalities) > 1:
        pointing["all"] = _pointed([score for score in found.pointing if score.level == "attribute"])
    return {
        "attributes": attributes,
        "below_twice_chance": {
            cut: [
                {"attribute": score.attribute, "modality": score.modality, **_ratios(score)}
                for score in found.attributes
                if score.cut == cut and not score.enough
            ]
            for cut in attributes
        },
        "pointing": pointing,
        "retrieval": [
            {
                "direction": score.direction,
                "gallery": score.gallery,
                "sentences": score.sentences,
                "rank1": score.metrics["rank1"],
                "chance": score.chance["rank1"],
                "times_chance": score.times_chance,
            }
            for score in found.retrieval
        ],
    }


def _pointed(scores: Sequence[PointingScore]) -> Values:
    """Return the means over attributes, each counting once, and their ratio."""
    accuracy, chance = (_mean([getattr(score, name) for score in scores]) for name in ("accuracy", "chance"))
    positions = [score.position for score in scores if score.position is not None]
    away = [score.away for score in scores if score.away is not None]
    total = sum(part.n for part in away)
    return {
        "attributes": len(scores),
        "accuracy": accuracy,
        "chance": chance,
        "times_chance": accuracy / chance,
        "position": _mean(positions) if len(positions) == len(scores) else None,
        "away": {
            "n": total,
            "accuracy": sum(part.n * part.accuracy for part in away) / total,
            "chance": sum(part.n * part.chance for part in away) / total,
        }
        if total
        else None,
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _ratios(score: AttributeScore) -> Values:
    return {
        "values": len(score.recalls),
        "balanced": score.balanced,
        "chance": score.chance,
        "times_chance": score.times_chance,
        "error_removed": score.error_removed,
    }


def _attribute(score: AttributeScore) -> Values:
    return {
        "attribute": score.attribute,
        "modality": score.modality,
        "cut": score.cut,
        "n": score.n,
        **_ratios(score),
        "enough": score.enough,
        "accuracy": score.accuracy,
        "recalls": dict(score.recalls),
        "rare": list(score.rare),
    }


def _retrieval(score: RetrievalScore) -> Values:
    return {
        "direction": score.direction,
        "gallery": score.gallery,
        "sentences": score.sentences,
        "words": score.words,
        "queries": score.queries,
        "candidates": score.candidates,
        "metrics": {
            **score.metrics,
            **{f"{name}_ci": list(interval) for name, interval in score.intervals.items()},
        },
        "chance": dict(score.chance),
        "times_chance": score.times_chance,
        "constant_rank1": score.constant,
    }


def _pointing(score: PointingScore) -> Values:
    values = asdict(score)
    return {**values, "times_chance": score.times_chance}


def write_document(document: Mapping[str, Any], out: Path) -> Path:
    """Write probe.json."""
    with written_whole(out) as temporary:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return out


def attribute_table(document: Mapping[str, Any]) -> Table:
    """Return one row an attribute, one column a modality and cut: balanced accuracy and times chance."""
    cells: dict[str, dict[tuple[str, str], str]] = {}
    columns = dict.fromkeys((row["modality"], row["cut"]) for row in document["attributes"])
    for row in document["attributes"]:
        mark = "" if row["enough"] else "*"
        text = f"{_percent(row['balanced'])} {row['times_chance']:.1f}x/{row['values']}{mark}"
        cells.setdefault(row["attribute"], {})[row["modality"], row["cut"]] = text
    names = [modality if cut == "all" else f"{modality}, {cut}" for modality, cut in columns]
    rows = [(name, *(found.get(column, "") for column in columns)) for name, found in cells.items()]
    return Table(("attribute", *names), tuple(rows))


def retrieval_table(document: Mapping[str, Any]) -> Table:
    """Return one row a direction, gallery and kind of sentences."""
    rows = []
    for row in document["retrieval"]:
        low, high = row["metrics"]["rank1_ci"]
        rows.append(
            (
                f"{row['direction']}, {row['sentences']} ({row['words']})",
                row["gallery"],
                str(row["queries"]),
                str(row["candidates"]),
                f"{_percent(row['metrics']['rank1'])} [{_percent(low)}, {_percent(high)}]",
                _percent(row["chance"]["rank1"]),
                f"{row['times_chance']:.1f}x",
                _percent(row["constant_rank1"]),
                _percent(row["metrics"]["rank5"]),
                _percent(row["metrics"]["mAP"]),
            )
        )
    header = ("asked", "gallery", "queries", "of", "Rank-1", "chance", "ratio", "constant", "Rank-5", "mAP")
    return Table(header, tuple(rows))


def pointing_table(document: Mapping[str, Any]) -> Table:
    """Return one row an attribute or group, one column a modality: accuracy, chance, and by position."""
    columns = list(dict.fromkeys(row["modality"] for row in document["pointing"]))
    cells: dict[str, dict[str, str]] = {}
    order = sorted(document["pointing"], key=lambda row: row["level"])  # attributes, then groups; stable
    for row in order:
        name = row["name"] if row["level"] == "attribute" else f"group {row['name']}"
        prior = "-" if row["position"] is None else _percent(row["position"])
        text = f"{_percent(row['accuracy'])} / {_percent(row['chance'])} / {prior}"
        cells.setdefault(name, {})[row["modality"]] = text
    rows = [(name, *(found.get(column, "") for column in columns)) for name, found in cells.items()]
    means = {name: values for name, values in document["summary"]["pointing"].items() if name != "all"}
    if means:
        rows.append(("mean over attributes", *(_mean_cell(means[column]) for column in columns)))
        rows.append(("away from the constant patch", *(_away_cell(means[column]) for column in columns)))
    return Table(("accuracy / chance / position", *columns), tuple(rows))


def write_markdown(document: Mapping[str, Any], out: Path) -> Path:
    """Write probe.md: the tables, with a line on how to read each."""
    model, data = document["model"], document["data"]
    images = ", ".join(f"{count} {name}" for name, count in data["images"].items())
    lines = [
        f"# Probe of {model['source']} on {data['name']}",
        "",
        f"Weights {model['sha256'][:12]} ({model['origin']}), input {model['size'][0]}x{model['size'][1]}; "
        f"{data['kind']}, split {data['split']}: {images}; seed {document['seed']}. Percent.",
        _seen(model["saw"]),
    ]
    sections = (
        ("attributes", "Attributes", READING["attributes"], attribute_table),
        ("retrieval", "Retrieval", READING["retrieval"], retrieval_table),
        ("pointing", "Pointing", READING["pointing"], pointing_table),
    )
    for key, title, reading, table in sections:
        if document[key]:
            lines += ["", f"## {title}", "", reading, "", table(document).markdown().rstrip()]
    if document["unmeasured"]:
        lines += ["", "## Not measured", ""]
        lines += [f"- {gap['what']}: {gap['why']}" for gap in document["unmeasured"]]
    with written_whole(out) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def _seen(saw: Sequence[str] | None) -> str:
    if saw is None:
        return "Which modalities the weights were made from is not known."
    return f"The weights were made from {', '.join(saw) or 'no'} images."


def _mean_cell(values: Values) -> str:
    prior = "-" if values["position"] is None else _percent(values["position"])
    ratio = f"{values['times_chance']:.1f}x"
    return f"{_percent(values['accuracy'])} / {_percent(values['chance'])} ({ratio}) / {prior}"


def _away_cell(values: Values) -> str:
    away = values["away"]
    return f"{_percent(away['accuracy'])} / {_percent(away['chance'])}" if away else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
