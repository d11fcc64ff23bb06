"""results.md: one table of all scores, then a section for whatever does not fit it.

A new part of results.json is shown by naming a function for its key in `SECTIONS`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole
from nextreid.evaluation import accept_rates, reranked, trials
from nextreid.evaluation.results.report_section import METRIC_HEADER, Section, Table, gain_table, score_row
from nextreid.evaluation.scenarios import (
    any_to_any,
    consistency,
    fine_grained,
    missing,
    random_drop,
    text,
    unseen,
)


def _controls(controls: Mapping[str, Any]) -> Section:
    gains = gain_table((f"minus {name}", control["gain"]) for name, control in controls.items())
    return Section("Controls", tables=(gains,) if gains.rows else ())


DIGITS = 12
"""Of a SHA-256 in results.md (ours: as on the terminal); results.json has all 64."""

SECTIONS: Mapping[str, Callable[[Any], Section]] = {
    "trials": trials.section,
    "reranked": reranked.section,
    "verification": accept_rates.section,
    "controls": _controls,
    "scenarios.missing": missing.section,
    "scenarios.any-to-any": any_to_any.section,
    "scenarios.random-drop": random_drop.section,
    "scenarios.unseen": unseen.section,
    "scenarios.fine-grained": fine_grained.section,
    "scenarios.consistency": consistency.section,
    "scenarios.text": text.section,
}
"""Key of results.json, parts joined by a dot, e.g. `scenarios.text` -> what shows the value there."""


def sections_of(document: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections of the parts that a results document has, in the order of `SECTIONS`."""
    found = ((show, _value(document, key)) for key, show in SECTIONS.items())
    return tuple(show(value) for show, value in found if value)


def all_scores(document: Mapping[str, Any], *, title: str = "result") -> Table:
    """Build the one table: the result, its branches, controls and chance, then every section's scores.

    Args:
        document: of results.json.
        title: what to call the result.
    """
    rows = [score_row(title, document["metrics"])]
    rows += [score_row(f"branch {name}", metrics) for name, metrics in document["branches"].items()]
    rows += [score_row(name, control["metrics"]) for name, control in document["controls"].items()]
    rows.append(score_row("chance", document["chance"]))
    for section in sections_of(document):
        rows += [score_row(name, metrics) for name, metrics in section.scores]
    return Table(METRIC_HEADER, tuple(rows), title="All scores, percent")


def gains_table(document: Mapping[str, Any]) -> Table:
    """Build the table of the result minus each control and each M(X), in points."""
    gains = [(f"minus {name}", control["gain"]) for name, control in document["controls"].items()]
    rows = document["scenarios"].get("missing", {}).get("rows", ())
    return gain_table([*gains, *((f"minus {row['name']}", row["gain"]) for row in rows)])


def markdown(document: Mapping[str, Any]) -> str:
    """Return results.md: what was scored and how, the table of all scores, the sections."""
    protocol, queries, data = document["protocol"], document["queries"], document["data"]
    head = [
        f"# {data['name']}: results",
        f"Protocol {protocol['name']} (version {protocol['version']}), {document['metric']} distance, "
        f"{queries['valid']} of {queries['total']} queries count, gallery {queries['gallery']}; "
        f"checkpoint chosen by: {document['selection']}; seed {document['seed']}. Percent; 95 %: intervals "
        f"over queries ({document['bootstrap']} resamples).",
        _origin(document),
        *_conventions(document["settings"]),
        all_scores(document).markdown(),
    ]
    for section in sections_of(document):
        if section.text or section.tables:
            head.append(f"## {section.title}")
        if section.text:
            head.append(section.text)
        for table in section.tables:
            if table.title:
                head.append(f"{table.title}:")
            head.append(table.markdown())
    left_out = document.get("scenarios_left_out") or {}
    if left_out:
        head.append("## Not run")
        head.append("".join(f"- `{name}`: {reason}\n" for name, reason in left_out.items()))
    return "\n\n".join(part.rstrip("\n") for part in head) + "\n"


def write_markdown(document: Mapping[str, Any], out: Path | str) -> Path:
    """Write `<stem>.md` beside results.json and return its path."""
    path = Path(out).with_suffix(".md")
    with written_whole(path) as temporary:
        temporary.write_text(markdown(document), encoding="utf-8")
    return path


def _origin(document: Mapping[str, Any]) -> str:
    """Say of which files, by the first digits of their SHA-256, and by which version the scores are."""
    named = [
        f"{what} `{source['path']}` (sha256 {str(source['sha256'])[:DIGITS]})"
        for what in ("model", "data", "embeddings")
        if (source := document.get(what))
    ]
    version = (document.get("versions") or {}).get("nextreid", "unknown")
    return f"From {', '.join([*named, f'nextreid {version}'])}."


def _conventions(settings: Mapping[str, Any]) -> list[str]:
    """Say what of the settings has to be known to read the scores."""
    said = []
    unseen = settings.get("modalities_unseen")
    if unseen:
        shown = settings.get("modalities_shown") or unseen
        said.append(
            f"**The model was shown {', '.join(shown)}, and was not trained with {', '.join(unseen)}**: "
            "every score is made from those, too, but where a scenario leaves them out."
        )
    if settings.get("fill") == "zero":
        said.append(
            "An absent modality is an image that is zero after normalisation, as in other published code "
            "(`--fill zero`)."
        )
    lost = (settings.get("left_out") or {}).get("images", 0)
    if lost:
        said.append(f"**{lost} images could not be read and are left out** (results.json lists them).")
    return said


def _value(document: Mapping[str, Any], key: str) -> Any:
    value: Any = document
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
