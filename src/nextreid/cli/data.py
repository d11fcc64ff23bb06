"""`nextreid data check | import | list`."""

import argparse
from collections import Counter
from pathlib import Path

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb

SHOWN = 40
"""Findings shown of one check; `--json` gives all (ours: a screen or two)."""


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="D", type=Path, help="manifest, folder with one, or benchmark folder")
    parser.add_argument("--layout", help="benchmark layout, where it is not recognised")


def _check(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.check import check_manifest
    from nextreid.data.manifest import load_manifest

    manifest = load_manifest(args.data, layout=args.layout)
    report = check_manifest(manifest, progress=terminal.progress)
    return 0 if report.ok else 1


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

    terminal.table("Benchmark layouts", ("name",), [(name,) for name in sorted(LAYOUTS)])
    terminal.result({"layouts": sorted(LAYOUTS)})
    return 0


VERBS = (
    Verb(
        name="data check",
        summary="name everything that is wrong in a data set; exit code 1 if there is something",
        example="nextreid data check world",
        add_options=_add_data,
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
