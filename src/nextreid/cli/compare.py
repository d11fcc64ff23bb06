"""`nextreid compare`: two results query by query, several over seeds, any beside the published ones."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.cli.writing import check_out
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.evaluation.results.comparison_report import Comparison
    from nextreid.evaluation.results.seeds import Group

SHOWN = 12
"""Differing options named on the terminal (ours: a few lines)."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        metavar="RESULT",
        type=Path,
        nargs="*",
        help="results.json, or a folder that holds it; two are compared query by query, several are grouped "
        "by configuration, equal but for the seed",
    )
    parser.add_argument(
        "--against",
        metavar="RESULT",
        type=Path,
        nargs="+",
        default=[],
        help="a second group, put together by you: RESULT... against these",
    )
    parser.add_argument("--published", action="store_true", help="beside the published results")
    parser.add_argument(
        "--dataset", metavar="NAME", help="with --published: e.g. RGBNT201 (default: the data's)"
    )
    parser.add_argument(
        "--setting", metavar="S", help="with --published: e.g. full or M(TIR) (default: all there are)"
    )
    parser.add_argument(
        "--bootstrap", type=whole_number(1), default=1000, help="resamples for intervals (default: 1000)"
    )
    parser.add_argument(
        "--draws",
        type=whole_number(1),
        default=10_000,
        help="random signs of the permutation test, where it is not exact (default: 10000)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write FILE.json and FILE.md")


def _check(args: argparse.Namespace) -> None:
    if args.out:
        check_out(args.out, suffixes=(".json", ".md"), replaces="nextreid.comparison")
    for name in ("dataset", "setting"):
        if getattr(args, name) is not None and not args.published:
            raise InputError(f"option --{name} has no effect without --published", do="add --published")
    if args.against and not args.results:
        raise InputError("--against names a second group, but there is no first", do="name results before it")
    if not args.results and not args.published:
        raise InputError(
            "There is nothing to compare",
            allowed="two or more results, one or more with --published, or --published --dataset NAME",
        )
    if len(args.results) == 1 and not args.against and not args.published:
        from nextreid.evaluation.results.scored import read_scored

        read_scored(args.results)  # a wrong name is told first
        raise InputError(
            f"{args.results[0]} alone cannot be compared", do="name a second result, or add --published"
        )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.atomic import written_whole
    from nextreid.evaluation.results.comparison_report import comparison_document, comparison_markdown

    _check(args)
    found = _compare(args)
    document = comparison_document(found)
    _show(found, terminal)
    if args.out:
        import json

        page, data = args.out.with_suffix(".md"), args.out.with_suffix(".json")
        with written_whole(page) as temporary:
            temporary.write_text(comparison_markdown(found), encoding="utf-8")
        with written_whole(data) as temporary:
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        terminal.text(f"{data} and {page}")
    terminal.result(document)
    return 0


def _compare(args: argparse.Namespace) -> "Comparison":
    from nextreid.evaluation.results.comparison import compare_paired, differing_options, split_of
    from nextreid.evaluation.results.comparison_report import Comparison
    from nextreid.evaluation.results.published.beside import beside_published
    from nextreid.evaluation.results.scored import read_scored
    from nextreid.evaluation.results.seeds import group_by_options, groups_as_given, pair_by_seed

    results = read_scored([*args.results, *args.against])
    groups: tuple[Group, ...] = ()
    if args.against:
        here = len(args.results)
        groups = groups_as_given(results[:here], results[here:])
    elif results:
        groups = group_by_options(results)
    seed = args.seed or 0
    two = len(results) == 2 and split_of(results[0]) == split_of(results[1])
    several = len(groups) == 2 and len(results) > 2
    return Comparison(
        groups=groups,
        paired=compare_paired(*results, bootstrap=args.bootstrap, draws=args.draws, seed=seed)
        if two
        else None,
        differs=differing_options(*results) if two else (),
        over_seeds=pair_by_seed(groups[0], groups[1], seed=seed) if several else None,
        published=(
            beside_published(groups, dataset=args.dataset, setting=args.setting) if args.published else ()
        ),
    )


def _show(found: "Comparison", terminal: Terminal) -> None:
    from nextreid.evaluation.results import comparison_report as report
    from nextreid.evaluation.results.published import shown

    tables = []
    if found.paired:
        tables.append(report.paired_table(found.paired))
    if found.groups and (not found.paired or len(found.groups) == 1):
        tables.append(report.group_table(found.groups))
    if found.over_seeds and found.over_seeds.metrics:
        tables.append(report.seeds_table(found.over_seeds))
    for table in tables:
        terminal.table(f"\n{table.title}", table.header, table.rows)
    if found.paired:
        differs = [f"{each.option} ({each.first} and {each.second})" for each in found.differs]
        more = f", and {len(differs) - SHOWN} more (--out lists all)" if len(differs) > SHOWN else ""
        shown_options = ", ".join(differs[:SHOWN]) or "no option that the files know of"
        terminal.text(f"They differ in: {shown_options}{more}")
    for remark in report.remarks_of(found):
        terminal.text(remark)
    for beside in found.published:
        table = shown.published_table(beside)
        rows = [tuple(cell.replace("**", "") for cell in row) for row in table.rows]
        terminal.table(f"\n{table.title}", table.header, rows)
        for number, source in enumerate(shown.sources_of(beside), start=1):
            terminal.text(f"[{number}] {source}")
        for remark in shown.published_remarks(beside):
            terminal.text(f"- {remark}")


VERBS = (
    Verb(
        name="compare",
        summary="compare results: paired tests, spread over seeds, published figures",
        example="nextreid compare runs/first/results.json runs/second/results.json",
        add_options=_add_options,
        run=_run,
    ),
)
