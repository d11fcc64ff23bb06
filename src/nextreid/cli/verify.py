"""`nextreid verify`: a results file computed again from the embeddings that were kept beside it."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.evaluate_rerank import beside_again
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb

if TYPE_CHECKING:
    from nextreid.evaluation.scenarios.scenario import ScenarioContext

WORDS = {True: "ok", False: "FAILED", None: "not checked"}


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", metavar="RESULTS", type=Path, help="the results.json to verify, or its folder"
    )
    parser.add_argument("--data", metavar="D", type=Path, help="the data set, if it has moved")
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument("--embeddings", metavar="E", type=Path, help="the embeddings, if they have moved")


def recomputed(results: Path) -> "Mapping[str, Callable[[ScenarioContext], Mapping[str, Any]]]":
    """Return what computes each part of a results file again, by its key.

    Raises:
        InputError: it is no results file.
    """
    from nextreid.cli.evaluate_scenarios import RUNNERS
    from nextreid.evaluation.results.report import read_results
    from nextreid.evaluation.scenarios.unseen import again

    scenarios = read_results(results).get("scenarios")
    unseen: Any = scenarios.get("unseen") if isinstance(scenarios, Mapping) else None
    return {
        **{f"scenarios.{name}": run for name, run in RUNNERS.items()},
        "scenarios.unseen": lambda context: again(context, unseen),
        **beside_again(results),
    }


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.evaluation.results.scored import results_file
    from nextreid.evaluation.results.verification import verify_results

    results = results_file(args.results)
    found = verify_results(
        results,
        data=args.data,
        layout=args.layout,
        embeddings=args.embeddings,
        recompute=recomputed(results),
        progress=terminal.progress,
    )
    for finding in found.findings:
        terminal.text(f"{WORDS[finding.ok]:<12} {finding.what}: {finding.detail}")
    if found.ok:
        terminal.text(f"{results} is what its embeddings give.")
    else:
        terminal.warn(f"{results} is NOT verified: {', '.join(each.what for each in found.failed)}")
    terminal.result(
        {
            "results": str(results),
            "ok": found.ok,
            "findings": [
                {"what": each.what, "ok": each.ok, "detail": each.detail} for each in found.findings
            ],
        }
    )
    return 0 if found.ok else 1


VERBS = (
    Verb(
        name="verify",
        summary="compute a result again from its embeddings, and name what does not agree",
        example="nextreid verify results.json",
        add_options=_add_options,
        run=_run,
    ),
)
