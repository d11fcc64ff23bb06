"""`nextreid data check | import | list`."""

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nextreid.data.findings import Report
    from nextreid.data.layout import Layout

LAYOUT_HELP = (
    "benchmark layout, where it is not recognised (see `nextreid data list`); NAME@VARIANT: regdb@3, "
    "wmveid863@clean"
)
SHOWN = 5
"""Findings shown of each rule; `--json` gives all (ours: enough to see what they have in common)."""


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="D", type=Path, help="manifest, folder with one, or benchmark folder")
    parser.add_argument("--layout", help=LAYOUT_HELP)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument(
        "--protocol",
        metavar="P",
        help="protocol that queries need a match under (default: the benchmark's own, or the strictest that "
        "the columns allow)",
    )


def _check(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.coverage import caption_findings
    from nextreid.data.check import check_manifest
    from nextreid.data.manifest import load_manifest
    from nextreid.data.match_rules import rule_named

    if args.protocol is not None:
        rule_named(args.protocol)  # a slip is an error before hours of reading
    manifest = load_manifest(args.data, layout=args.layout)
    report = check_manifest(
        manifest,
        protocol=args.protocol,
        more=caption_findings(manifest),
        workers=args.workers or None,
        progress=terminal.progress,
    )
    forgiven = {"unreadable-image"} if args.on_error == "skip" else set()
    failed = [finding for finding in report.of("error") if finding.rule not in forgiven]
    _show(report, terminal)
    if not failed and report.of("error"):
        terminal.text("Unreadable images would be left out under --on-error skip.")
    terminal.result(
        {
            "data": str(report.source),
            "ok": not failed,
            "protocol": report.protocol,
            "protocol_because": report.why,
            "splits": [asdict(count) for count in report.counts],
            "findings": [asdict(finding) for finding in report.findings],
        }
    )
    return 1 if failed else 0


def _show(report: "Report", terminal: Terminal) -> None:
    names = list(dict.fromkeys(name for count in report.counts for name in count.images))
    terminal.table(
        f"{report.name}, checked for {report.protocol}",
        ("split", "observations", *names, "identities", "cameras", "queries", "gallery"),
        [
            (
                count.split,
                count.observations,
                *(count.images.get(name, 0) for name in names),
                count.identities,
                count.cameras,
                count.queries,
                count.gallery,
            )
            for count in report.counts
        ],
    )
    terminal.text(f"Why {report.protocol}: {report.why}.")
    by_rule = Counter((finding.severity, finding.rule) for finding in report.findings)
    seen: Counter[tuple[str, str]] = Counter()
    for finding in report.findings:
        kind = (finding.severity, finding.rule)
        seen[kind] += 1
        if seen[kind] <= SHOWN:
            terminal.text(f"{finding.severity}: {finding.message}")
            terminal.text(f"    {finding.do}")
        elif seen[kind] == by_rule[kind]:
            terminal.text(
                f"{finding.severity}: {by_rule[kind] - SHOWN} more {finding.rule} (--json lists all)"
            )
    rules = ", ".join(f"{count} {severity} {rule}" for (severity, rule), count in by_rule.items())
    terminal.text(rules or "Nothing is wrong.")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tree", metavar="TREE", type=Path, help="the benchmark's folder")
    parser.add_argument("--layout", help=LAYOUT_HELP)
    parser.add_argument("--out", type=Path, required=True, help="manifest to write, .csv or .parquet")


def _import(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.manifest import load_manifest, write_manifest
    from nextreid.data.match_rules import recommend

    manifest = load_manifest(args.tree, layout=args.layout)
    write_manifest(manifest, args.out)
    splits = Counter(row.split for row in manifest.rows)
    counts = ", ".join(f"{split} {count}" for split, count in sorted(splits.items()))
    terminal.text(f"{len(manifest.rows)} observations ({counts}) in {args.out}")
    for note in manifest.notes:
        terminal.text(f"note: {note}")
    chosen = recommend(manifest)
    terminal.text(f"Score it with --protocol {chosen.protocol} ({chosen.why}).")
    terminal.result(
        {
            "out": str(args.out),
            "observations": len(manifest.rows),
            "splits": dict(splits),
            "layout": manifest.layout,
            "protocol": chosen.protocol,
            "notes": list(manifest.notes),
        }
    )
    return 0


def _list(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.layouts import LAYOUTS

    for name, layout in LAYOUTS.items():
        terminal.text(f"{name}: {layout.title}")
        terminal.text(f"    folders: {layout.summary}")
        terminal.text(f"    file names like {layout.names}")
        terminal.text(f"    {layout.about}")
        if layout.counts:
            terminal.text(f"    counts: {', '.join(f'{what} {n}' for what, n in layout.counts.items())}")
        terminal.text(f"    protocols: {', '.join(layout.protocols)}")
        for variant, what in _variants(layout.variants).items():
            terminal.text(f"    {name}@{variant}: {what}")
        for overlap in layout.overlaps:
            terminal.text(f"    beware: {overlap}")
        terminal.text(f"    from: {layout.citation}")
    terminal.result({"layouts": [_facts(layout) for layout in LAYOUTS.values()]})
    return 0


def _variants(variants: "Mapping[str, str]") -> dict[str, str]:
    """Return the variants as they are listed: those that are numbers in one line."""
    numbers = [name for name in variants if name.isdigit()]
    others = {name: what for name, what in variants.items() if name not in numbers}
    if not numbers:
        return others
    return {f"{numbers[0]} to {numbers[-1]}": "the split of that trial"} | others


def _facts(layout: "Layout") -> dict[str, object]:
    return {
        "name": layout.name,
        "title": layout.title,
        "folders": layout.summary,
        "file_names": layout.names,
        "about": layout.about,
        "kind": layout.kind,
        "modalities": list(layout.modalities),
        "counts": dict(layout.counts),
        "protocol": layout.protocol,
        "protocols": list(layout.protocols),
        "variants": dict(layout.variants),
        "overlaps": list(layout.overlaps),
        "citation": layout.citation,
    }


VERBS = (
    Verb(
        name="data check",
        summary="name everything that is wrong in a data set; exit code 1 if there is something",
        example="nextreid data check world",
        add_options=_add_check,
        run=_check,
    ),
    Verb(
        name="data import",
        summary="write a benchmark's folder as one manifest",
        example="nextreid data import RegDB --layout regdb@3 --out regdb3.csv",
        add_options=_add_import,
        run=_import,
    ),
    Verb(
        name="data list",
        summary="explain the benchmark layouts: folders, counts, protocols, sources",
        example="nextreid data list",
        add_options=lambda parser: None,
        run=_list,
    ),
)
