"""What an audit says, as audit.json and audit.md. Shares 0..1 in the file, apart from unknown rates (percent,
as published figures are); percent in tables."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole
from nextreid.captions.audit import SetAudit, TruthAudit
from nextreid.captions.audit_tables import audit_markdown, part_name, tag
from nextreid.captions.parsing import shown

FORMAT = "nextreid.caption_audit/1"

Values = dict[str, Any]


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
        "words": {tag(name): count for name, count in text.words.items()},
        "total_words": sum(text.words.values()),
        "mean_length": text.mean_length,
        "unknown": {
            **{tag(name): 100 * rate.share for name, rate in text.unknown.items()},
            "overall": 100 * text.overall,
            "counts": {tag(name): rate.count for name, rate in text.unknown.items()},
            "captions": {tag(name): rate.captions for name, rate in text.unknown.items()},
        },
        "distinct": {"1": text.distinct_1, "2": text.distinct_2},
        "coverage": {tag(name): dict(shares) for name, shares in audit.coverage.items()},
        "unobservable": {tag(name): count for name, count in audit.unobservable.items()},
        "agreement": [
            {
                "attribute": pair.attribute,
                "modalities": [tag(name) for name in pair.modalities],
                "n": pair.n,
                "agreement": pair.agreement,
                "chance": pair.chance,
            }
            for pair in audit.agreement
        ],
        "strangers": audited.strangers,
        "odd": dict(Counter(odd.reason for odd in audited.odd)),
        "odd_captions": [
            {"file": odd.file, "item": shown(odd.item), "reason": odd.reason, "text": shown(odd.text)}
            for odd in audited.odd
        ],
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
        "by_modality": {tag(name): asdict(scores) for name, scores in truth.by_modality.items()},
        "by_attribute": [
            {"attribute": attribute, "modality": tag(modality), **asdict(scores)}
            for (attribute, modality), scores in truth.by_attribute.items()
        ],
        "observations_covered": truth.observations,
        "ece": {part_name(name): found.ece for name, found in truth.reliability.items()},
        "reliability": {
            part_name(name): [asdict(part) for part in found.bins]
            for name, found in truth.reliability.items()
        },
        "abstention": {
            part_name(name): [asdict(point) for point in curve] for name, curve in truth.abstention.items()
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
