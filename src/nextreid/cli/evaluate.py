"""`nextreid evaluate`: a model, or embeddings, and a data set in; honest scores out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.embed import add_model_options
from nextreid.cli.evaluate_protocols import (
    LIST,
    add_protocol_option,
    check_given,
    protocol_for,
    say_valid_queries,
    show_protocols,
)
from nextreid.cli.evaluate_rerank import add_rerank_option, beside, rerank_settings
from nextreid.cli.evaluate_scenarios import (
    ALL,
    add_scenario_options,
    check_scenarios,
    needs_subsets,
    run_scenarios,
    show_scenarios,
    wanted_scenarios,
)
from nextreid.cli.evaluate_vectors import vectors_to_score
from nextreid.cli.keeping import add_keeping_option, keep_embeddings, place_of_embeddings, warn_of_former
from nextreid.cli.reading import open_data
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.cli.writing import check_out

if TYPE_CHECKING:
    from nextreid.captions.sentences import Captions
    from nextreid.embedding.embedder import NextReID


def _add_options(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()  # not needed for `--protocol list`
    source.add_argument("--model", metavar="M", type=Path, help="model folder, e.g. RUN/model")
    source.add_argument("--embeddings", metavar="E", type=Path, help="or embeddings that were written before")
    add_model_options(parser, data_required=False)
    add_protocol_option(parser)
    parser.add_argument("--metric", choices=("cosine", "euclidean"), default="cosine", help="default: cosine")
    add_scenario_options(parser)
    add_rerank_option(parser)
    parser.add_argument(
        "--bootstrap",
        type=whole_number(0),
        default=1000,
        help="resamples for intervals; 0: none (default: 1000)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="results.json to write")
    add_keeping_option(parser)


def selection_of(model: Path | None) -> str:
    """Return how a model folder's weights were chosen, as training wrote it down."""
    if model is None:
        return "unknown (embeddings)"
    for name, path in (("training.json", ("selection",)), ("config.json", ("notes", "selection"))):
        file = model / name
        if file.is_file():
            value: Any = json.loads(file.read_text(encoding="utf-8"))
            for key in path:
                value = value.get(key, {}) if isinstance(value, dict) else {}
            if isinstance(value, str):
                return value
    return "unknown"


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.embedding.embedder import check_model_folder
    from nextreid.evaluation.evaluate import evaluate_branches, evaluate_embeddings
    from nextreid.evaluation.results.provenance import Source, training_of
    from nextreid.evaluation.results.report import results_document, sealed, write_results
    from nextreid.evaluation.results.report_markdown import all_scores, write_markdown
    from nextreid.evaluation.scenarios.drawings import draw_scenarios
    from nextreid.evaluation.scenarios.scenario import ScenarioContext, ScenarioInputs

    if args.protocol == LIST:
        show_protocols(terminal)
        return 0
    check_given(args)
    check_out(args.out, suffixes=(".json",), replaces="nextreid.results")
    keep_at = place_of_embeddings(args)
    reranking = rerank_settings(args.rerank)
    if args.model:
        check_model_folder(args.model)
    opened = open_data(args.data, layout=args.layout, on_error=args.on_error, split="test", terminal=terminal)
    manifest = opened.manifest
    protocol = protocol_for(manifest, args.protocol)
    terminal.remark(f"protocol: {protocol.name} (version {protocol.version}). {protocol.summary}")
    say_valid_queries(manifest, protocol, terminal)
    scenarios = wanted_scenarios(args)
    folder = str(args.model) if args.model else None

    def check(model: "NextReID | None", captions: "Captions") -> None:
        if ALL not in args.scenario:
            check_scenarios(
                scenarios,
                ScenarioInputs(manifest=manifest, model=model, model_path=folder, captions=captions),
            )

    embedded = vectors_to_score(args, opened, terminal, subsets=needs_subsets(scenarios), check=check)
    evaluation = evaluate_embeddings(
        embedded.embeddings,
        manifest,
        protocol=protocol,
        metric=args.metric,
        bootstrap=args.bootstrap,
        seed=args.seed or 0,
        progress=terminal.progress,
    )
    parts = beside(evaluation, embedded.embeddings, manifest, settings=reranking, terminal=terminal)
    outcome = run_scenarios(
        scenarios,
        ScenarioContext(
            manifest=manifest,
            embeddings=embedded.embeddings,
            full=evaluation,
            model=embedded.reader,
            model_path=folder,
            captions=embedded.captions,
            batch_size=args.batch_size,
            progress=terminal.progress,
        ),
        everything=ALL in args.scenario,
    )
    document = results_document(
        evaluation,
        data=Source(path=str(args.data), sha256=manifest.sha256, name=manifest.name),
        selection=selection_of(args.model),
        model=embedded.model,
        embeddings=embedded.file or keep_embeddings(embedded.embeddings, keep_at, args.out),
        scenarios=outcome.entries,
        scenarios_left_out=outcome.left_out,
        beside=parts,
        branches=evaluate_branches(embedded.embeddings, manifest, full=evaluation),
        settings={
            **embedded.settings,
            "layout": args.layout or manifest.layout,
            "left_out": opened.summary(),
        },
        training=training_of(args.model) if args.model else None,
        device=embedded.device,
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    files = write_results(document, evaluation.per_query, args.out)
    written = (*files, write_markdown(document, args.out), *draw_scenarios(document, args.out))
    warn_of_former(args, terminal)
    table = all_scores(document)
    terminal.table(f"{manifest.name}, {protocol.name}, percent", table.header, table.rows)
    show_scenarios(document, terminal)
    counts = evaluation.counts
    terminal.text(
        f"{counts.valid} of {counts.total} queries count; {counts.removed_by_filter} lost every match to the "
        f"protocol, {counts.without_match} had none; gallery {counts.gallery}"
        + (f" in each of {len(evaluation.trials)} trials" if len(evaluation.trials) > 1 else "")
    )
    terminal.text(", ".join(map(str, written)))
    terminal.result(sealed(document))
    return 0


VERBS = (
    Verb(
        name="evaluate",
        summary="score a model on a data set's test split, with intervals",
        example="nextreid evaluate --model runs/first/model --data world --protocol cross-camera "
        "--out results.json",
        add_options=_add_options,
        run=_run,
    ),
)
