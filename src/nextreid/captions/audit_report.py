"""What an audit says, as audit.json and audit.md. Shares 0..1 in the file, apart from unknown rates (percent,
as published figures are); percent in tables."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole
from nextreid.captions.audit import SetAudit, TruthAudit
from nextreid.captions.audit_truth import Scores
from nextreid.captions.reliability import calibration_error

FORMAT = "nextreid.caption_audit/1"

Values = dict[str, Any]

READING = {
    "text": "Words: text cut at white space. Length: the mean over files of their mean words a caption. "
    "Unknown: share of captions that hold a word for not knowing. Distinct: different words and pairs of "
    "words, over all of them.",
    "coverage": "Share of captions that state the attribute. -: the modality cannot show it. (!): it is "
    "stated all the same.",
    "agreement": "Share of observations whose two captions state the same value, of those that both state "
    "one / what captions of different observations would agree.",
    "truth": "Right: of the stated slots, and balanced (mean over true values and attributes). Covered: of "
    "what any image of the observation shows and this modality could have shown, the share that is stated. "
    "Whole: right of all that, what is missing counts as wrong. ECE: mean distance of confidence and share "
    "right.",
    "attributes": "Balanced accuracy of what is stated / share of the visible that is stated.",
    "comparison": "Against the first set, over the images of both. Kept: slots that both state, right "
    "before and now. New: slots that only this set states.",
}
"""How to read each table."""


def audit_document(audits: Sequence[SetAudit], *, rule: str, settings: Mapping[str, Any]) -> Values:
    """Return the content of audit.json; the same captions give the same content.

    Args:
        audits: of `audit_sets`.
        rule: what counted as unknown.
        settings: what else the figures depend on; plain JSON values.
    """
    document: Values = {"format": FORMAT, "rule": rule, "settings": dict(settings)}
    for audit in audits:
        document[audit.audited.name] = _set(audit)
    return document


def _set(audit: SetAudit) -> Values:
    audited, text = audit.audited, audit.text
    entry: Values = {
        "path": str(audited.path),
        "form": audited.form,
        "schema": audited.schema.kind if audited.schema else None,
        "words": {_tag(name): count for name, count in text.words.items()},
        "total_words": sum(text.words.values()),
        "mean_length": text.mean_length,
        "unknown": {
            **{_tag(name): 100 * rate.share for name, rate in text.unknown.items()},
            "overall": 100 * text.overall,
            "counts": {_tag(name): rate.count for name, rate in text.unknown.items()},
            "captions": {_tag(name): rate.captions for name, rate in text.unknown.items()},
        },
        "distinct": {"1": text.distinct_1, "2": text.distinct_2},
        "coverage": {_tag(name): dict(shares) for name, shares in audit.coverage.items()},
        "unobservable": {_tag(name): count for name, count in audit.unobservable.items()},
        "agreement": [
            {
                "attribute": pair.attribute,
                "modalities": [_tag(name) for name in pair.modalities],
                "n": pair.n,
                "agreement": pair.agreement,
                "chance": pair.chance,
            }
            for pair in audit.agreement
        ],
        "strangers": audited.strangers,
    }
    if audited.words is not None:
        entry["understood"] = asdict(audited.words)
    if audit.truth is not None:
        entry["truth"] = _truth(audit.truth)
    return entry


def _truth(truth: TruthAudit) -> Values:
    return {
        "images": truth.images,
        "untold": truth.untold,
        "overall": asdict(truth.overall),
        "by_modality": {_tag(name): asdict(scores) for name, scores in truth.by_modality.items()},
        "by_attribute": [
            {"attribute": attribute, "modality": _tag(modality), **asdict(scores)}
            for (attribute, modality), scores in truth.by_attribute.items()
        ],
        "observations_covered": truth.observations,
        "ece": {_part(name): calibration_error(bins) for name, bins in truth.reliability.items()},
        "reliability": {
            _part(name): [asdict(part) for part in bins] for name, bins in truth.reliability.items()
        },
        "abstention": {
            _part(name): [asdict(point) for point in curve] for name, curve in truth.abstention.items()
        },
        "compared": None if truth.compared is None else asdict(truth.compared),
    }


def write_audit(document: Mapping[str, Any], audits: Sequence[SetAudit], out: Path) -> tuple[Path, ...]:
    """Write audit.json and audit.md into a folder.

    Returns:
        The two files.
    """
    json_file, markdown = out / "audit.json", out / "audit.md"
    with written_whole(json_file) as temporary:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    with written_whole(markdown) as temporary:
        temporary.write_text(audit_markdown(audits, rule=document["rule"]), encoding="utf-8")
    return json_file, markdown


def audit_markdown(audits: Sequence[SetAudit], *, rule: str) -> str:
    """Return the audit as tables, with a line on how to read each."""
    names = ", ".join(_plain(audit.audited.name) for audit in audits)
    lines = [f"# Audit of {names}", "", f"Unknown by the rule `{rule}`. Percent, apart from counts.", ""]
    lines += _section("Texts", READING["text"], *text_table(audits))
    for audit in audits:
        name = _plain(audit.audited.name)
        if audit.coverage:
            lines += _section(f"{name}: what is stated", READING["coverage"], *coverage_table(audit))
        if audit.agreement:
            lines += _section(f"{name}: agreement", READING["agreement"], *agreement_table(audit))
    if any(audit.truth for audit in audits):
        lines += _section("Against the truth", READING["truth"], *truth_table(audits))
        for audit in audits:
            if audit.truth:
                title = f"{_plain(audit.audited.name)}: against the truth, by attribute"
                lines += _section(title, READING["attributes"], *attribute_table(audit))
    if any(audit.truth and audit.truth.compared for audit in audits):
        lines += _section("Compared with the first", READING["comparison"], *comparison_table(audits))
    return "\n".join(lines)


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Header and rows."""


def text_table(audits: Sequence[SetAudit]) -> Table:
    """Return one row a set and modality, and one for each set as a whole."""
    rows: list[tuple[str, ...]] = []
    for audit in audits:
        text, name = audit.text, _plain(audit.audited.name)
        for modality, words in text.words.items():
            rate = text.unknown[modality]
            share = f"{100 * rate.share:.2f} ({rate.count})"
            rows.append((name, _tag(modality), str(rate.captions), str(words), "", share, "", ""))
        rows.append(
            (
                name,
                "all",
                str(sum(rate.captions for rate in text.unknown.values())),
                str(sum(text.words.values())),
                f"{text.mean_length:.2f}",
                f"{100 * text.overall:.2f} ({sum(rate.count for rate in text.unknown.values())})",
                f"{text.distinct_1:.4f}",
                f"{text.distinct_2:.4f}",
            )
        )
    header = ("set", "images", "captions", "words", "length", "unknown", "distinct-1", "distinct-2")
    return header, rows


def coverage_table(audit: SetAudit) -> Table:
    """Return one row an attribute, one column a modality."""
    schema = audit.audited.schema
    if schema is None:
        return ("attribute",), []
    rows = []
    for attribute in schema.attributes:
        cells = []
        for modality, shares in audit.coverage.items():
            mark = "" if schema.observable(attribute.name, modality) else " (!)"
            known = attribute.name in shares
            cells.append(f"{_percent(shares[attribute.name])}{mark}" if known else "-")
        rows.append((attribute.name, *cells))
    return ("attribute", *(_tag(name) for name in audit.coverage)), rows


def agreement_table(audit: SetAudit) -> Table:
    """Return one row an attribute, one column a pair of modalities."""
    pairs = list(dict.fromkeys(pair.modalities for pair in audit.agreement))
    cells: dict[str, dict[tuple[str, str], str]] = {}
    for pair in audit.agreement:
        text = f"{_percent(pair.agreement)} / {_percent(pair.chance)} ({pair.n})"
        cells.setdefault(pair.attribute, {})[pair.modalities] = text
    header = ("attribute", *(f"{_tag(one)} and {_tag(two)}" for one, two in pairs))
    return header, [(name, *(found.get(pair, "-") for pair in pairs)) for name, found in cells.items()]


def truth_table(audits: Sequence[SetAudit]) -> Table:
    """Return one row a set and modality."""
    rows = []
    for audit in audits:
        if audit.truth is None:
            continue
        parts: list[tuple[str, Scores]] = [*audit.truth.by_modality.items(), ("all", audit.truth.overall)]
        for modality, scores in parts:
            found = audit.truth.reliability.get(modality)
            rows.append(
                (
                    _plain(audit.audited.name),
                    _part(modality),
                    str(scores.stated),
                    _percent(scores.accuracy),
                    _percent(scores.balanced),
                    _percent(scores.covered),
                    _percent(scores.whole),
                    _percent(scores.whole_balanced),
                    _percent(calibration_error(found)) if found else "-",
                )
            )
    header = ("set", "images", "stated", "right", "balanced", "covered", "whole", "whole, balanced", "ECE")
    return header, rows


def attribute_table(audit: SetAudit) -> Table:
    """Return one row an attribute, one column a modality."""
    if audit.truth is None or audit.audited.schema is None:
        return ("attribute",), []
    modalities = list(audit.truth.by_modality)
    rows = []
    for attribute in audit.audited.schema.attributes:
        parts = [audit.truth.by_attribute.get((attribute.name, name)) for name in modalities]
        cells = [f"{_percent(part.balanced)} / {_percent(part.covered)}" if part else "-" for part in parts]
        rows.append((attribute.name, *cells))
    return ("attribute", *(_tag(name) for name in modalities)), rows


def comparison_table(audits: Sequence[SetAudit]) -> Table:
    """Return one row a set but the first."""
    rows = []
    for audit in audits:
        found = audit.truth.compared if audit.truth else None
        if found is None:
            continue
        rows.append(
            (
                _plain(audit.audited.name),
                f"{found.kept} of {found.before}",
                _percent(found.before_accuracy),
                _percent(found.kept_accuracy),
                str(found.new),
                _percent(found.new_accuracy),
                _percent(found.whole_before),
                _percent(found.whole),
            )
        )
    header = ("set", "kept", "right before", "right now", "new", "new right", "whole before", "whole now")
    return header, rows


def _section(title: str, reading: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    rule = ("---", *("---:" for _ in header[1:]))
    return [f"## {title}", "", reading, "", *(f"| {' | '.join(row)} |" for row in (header, rule, *rows)), ""]


def _plain(text: str) -> str:
    """Return a folder's name as it can stand in a table: it may hold anything that a file system takes."""
    kept = "".join(sign if sign.isprintable() else "?" for sign in text)
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", kept)


def _tag(modality: str) -> str:
    """Return a modality as figures call it: RGB, NIR, TIR."""
    return modality.upper()


def _part(name: str) -> str:
    return "all" if name == "all" else _tag(name)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
