"""The tables of an audit, and audit.md made of them. Percent, apart from counts."""

import re
from collections import Counter
from collections.abc import Sequence

from nextreid.captions.audit import SetAudit
from nextreid.captions.audit_truth import Scores

READING = {
    "text": "Words: text cut at white space. Length: the mean over files of their mean words a caption. "
    "Unknown: share of captions that hold a word for not knowing. Distinct: different words and pairs of "
    "words, over all of them.",
    "coverage": "Share of captions that state the attribute. -: the modality cannot show it. (!): it is "
    "stated all the same.",
    "odd": "What was left out of the reading, apart from line breaks; audit.json names each.",
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


def audit_markdown(audits: Sequence[SetAudit], *, rule: str) -> str:
    """Return the audit as tables, with a line on how to read each."""
    names = ", ".join(_name(audit) for audit in audits)
    lines = [
        f"# Audit of {_escaped(names)}",
        "",
        f"Unknown by the rule `{rule}`. Percent, apart from counts.",
        "",
    ]
    lines += _section("Texts", READING["text"], *text_table(audits))
    for audit in audits:
        name = _name(audit)
        if audit.coverage:
            lines += _section(f"{name}: what is stated", READING["coverage"], *coverage_table(audit))
        if audit.audited.odd:
            lines += _section(f"{name}: odd captions", READING["odd"], *odd_table(audit))
        if audit.agreement:
            lines += _section(f"{name}: agreement", READING["agreement"], *agreement_table(audit))
    if any(audit.truth for audit in audits):
        lines += _section("Against the truth", READING["truth"], *truth_table(audits))
        for audit in audits:
            if audit.truth:
                title = f"{_name(audit)}: against the truth, by attribute"
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
        text, name = audit.text, _name(audit)
        for modality, words in text.words.items():
            rate = text.unknown[modality]
            share = f"{100 * rate.share:.2f} ({rate.count})"
            rows.append((name, tag(modality), str(rate.captions), str(words), "", share, "", ""))
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
    return ("attribute", *(tag(name) for name in audit.coverage)), rows


def odd_table(audit: SetAudit) -> Table:
    """Return one row a reason."""
    counted = Counter(odd.reason for odd in audit.audited.odd)
    return ("reason", "times"), [(reason, str(count)) for reason, count in sorted(counted.items())]


def agreement_table(audit: SetAudit) -> Table:
    """Return one row an attribute, one column a pair of modalities."""
    pairs = list(dict.fromkeys(pair.modalities for pair in audit.agreement))
    cells: dict[str, dict[tuple[str, str], str]] = {}
    for pair in audit.agreement:
        text = f"{_percent(pair.agreement)} / {_percent(pair.chance)} ({pair.n})"
        cells.setdefault(pair.attribute, {})[pair.modalities] = text
    header = ("attribute", *(f"{tag(one)} and {tag(two)}" for one, two in pairs))
    return header, [(name, *(found.get(pair, "-") for pair in pairs)) for name, found in cells.items()]


def truth_table(audits: Sequence[SetAudit]) -> Table:
    """Return one row a set and modality."""
    rows: list[tuple[str, ...]] = []
    for audit in audits:
        if audit.truth is None:
            continue
        parts: list[tuple[str, Scores]] = [*audit.truth.by_modality.items(), ("all", audit.truth.overall)]
        for modality, scores in parts:
            found = audit.truth.reliability.get(modality)
            rows.append(
                (
                    _name(audit),
                    part_name(modality),
                    str(scores.stated),
                    _percent(scores.accuracy),
                    _percent(scores.balanced),
                    _percent(scores.covered),
                    _percent(scores.whole),
                    _percent(scores.whole_balanced),
                    _percent(found.ece) if found else "-",
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
    return ("attribute", *(tag(name) for name in modalities)), rows


def comparison_table(audits: Sequence[SetAudit]) -> Table:
    """Return one row a set but the first."""
    rows: list[tuple[str, ...]] = []
    for audit in audits:
        found = audit.truth.compared if audit.truth else None
        if found is None:
            continue
        rows.append(
            (
                _name(audit),
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
    cells = [header, *rows]
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in cells]
    return [f"## {_escaped(title)}", "", reading, "", lines[0], f"| {' | '.join(rule)} |", *lines[1:], ""]


def _name(audit: SetAudit) -> str:
    """Return a set's name without what would steer a terminal: a folder may be called anything."""
    return "".join(sign if sign.isprintable() else "?" for sign in audit.audited.name)


def _escaped(text: str) -> str:
    """Return a text as Markdown shows it, whatever is in it."""
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", text)


def tag(modality: str) -> str:
    """Return a modality as figures call it: RGB, NIR, TIR."""
    return modality.upper()


def part_name(name: str) -> str:
    """Return the name of a modality, or of all of them."""
    return "all" if name == "all" else tag(name)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
