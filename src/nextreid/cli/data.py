"""`nextreid data check | import | list`."""

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb

if TYPE_CHECKING:
    from nextreid.data.findings import Report

SHOWN = 40
"""Findings shown of one check; `--json` gives all (ours: a screen or two)."""


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="D", type=Path, help="manifest, folder with one, or benchmark folder")
    parser.add_argument("--layout", help="benchmark layout, where it is not recognised")


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument(
        "--protocol",
        choices=("cross-camera", "cross-scene", "none"),
        help="protocol that queries need a match under (default: the strictest that the columns allow)",
    )


def _check(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.check import check_manifest
    from nextreid.data.manifest import load_manifest

    manifest = load_manifest(args.data, layout=args.layout)
    report = check_manifest(
        manifest, protocol=args.protocol, workers=args.workers or None, progress=terminal.progress
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
    for finding in report.findings[:SHOWN]:
        terminal.text(f"{finding.severity}: {finding.message}")
        terminal.text(f"    {finding.do}")
    if len(report.findings) > SHOWN:
        terminal.text(f"... and {len(report.findings) - SHOWN} more (--json lists all)")
    by_rule = Counter((finding.severity, finding.rule) for finding in report.findings)
    rules = ", ".join(f"{count} {severity} {rule}" for (severity, rule), count in by_rule.items())
    terminal.text(rules or "Nothing is wrong.")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tree", metavar="TREE", type=Path, help="the benchmark's folder")
    parser.add_argument("--layout", help="its layout (see `nextreid data list`); default: recognised")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write, .csv or .parquet")


def _import(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.manifest import load_manifest, write_manifest

    manifest = load_manifest(args.tree, layout=args.layout)
    write_manifest(manifest, args.out)
    splits = Counter(row.split for row in manifest.rows)
    counts = ", ".join(f"{split} {count}" for split, count in sorted(splits.items()))
    terminal.text(f"{len(manifest.rows)} observations ({counts}) in {args.out}")
    terminal.result({"out": str(args.out), "observations": len(manifest.rows), "splits": dict(splits)})
    return 0


def _list(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.layouts import LAYOUTS

    rows = [(name, layout.protocol, layout.summary) for name, layout in sorted(LAYOUTS.items())]
    for name, protocol, summary in rows:
        terminal.text(f"{name}: {summary}; protocol {protocol}")
    terminal.result(
        {"layouts": [{"name": name, "protocol": protocol, "folders": text} for name, protocol, text in rows]}
    )
    return 0


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
        example="nextreid data import RGBNT201 --layout rgbnt201 --out rgbnt201.csv",
        add_options=_add_import,
        run=_import,
    ),
    Verb(
        name="data list",
        summary="list the benchmark layouts",
        example="nextreid data list",
        add_options=lambda parser: None,
        run=_list,
    ),
)
