"""The vectors that `nextreid evaluate` scores: read from a file, or made by a model."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nextreid.cli.embed import embed_rows, load, say_what_runs, warn_of_unseen
from nextreid.cli.reading import Opened
from nextreid.cli.terminal import Terminal
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.captions.sentences import Captions
    from nextreid.embedding.embedder import NextReID
    from nextreid.embedding.embeddings import Embeddings
    from nextreid.evaluation.results.provenance import Source


@dataclass(frozen=True)
class Embedded:
    """Embeddings to score, and what results say of them.

    Attributes:
        embeddings: the vectors.
        captions: of the data set; empty where embeddings were read from a file.
        settings: what else the scores depend on.
        device: what computed them.
        reader: the model that made them, or None.
        model, file: what they come from.
    """

    embeddings: "Embeddings"
    captions: "Captions"
    settings: dict[str, Any] = field(default_factory=dict)
    device: str = "none"
    reader: "NextReID | None" = None
    model: "Source | None" = None
    file: "Source | None" = None


Check = Callable[["NextReID | None", "Captions"], None]
"""Told of the model and the captions before anything is embedded; raises where they will not do."""


def vectors_to_score(
    args: argparse.Namespace, opened: Opened, terminal: Terminal, *, subsets: bool, check: Check
) -> Embedded:
    """Read or make the vectors.

    Args:
        args: of the verb.
        opened: the data.
        terminal: for remarks.
        subsets: whether a model embeds every subset of the modalities, too.
        check: asked before the work.

    Raises:
        InputError: an option that has no effect on embeddings of a file.
    """
    if args.model:
        return _embed(args, opened, terminal, subsets, check)
    return _read(args, terminal, check)


def _read(args: argparse.Namespace, terminal: Terminal, check: Check) -> Embedded:
    from nextreid.captions.sentences import Captions
    from nextreid.embedding.embeddings import load_embeddings
    from nextreid.evaluation.results.provenance import Source

    for option, given in (("--captions", args.captions != "auto"), ("--fill", args.fill is not None)):
        if given:
            raise InputError(
                f"option {option} has no effect on embeddings that were written before",
                do="give it to `nextreid embed`",
            )
    check(None, Captions())
    embeddings = load_embeddings(args.embeddings)
    source = Source.beside(args.embeddings, args.out)
    terminal.remark(f"embeddings: {args.embeddings} ({len(embeddings)}, sha256 {source.sha256[:12]})")
    return Embedded(embeddings, Captions(), {"captions": "unknown", "fill": "unknown"}, file=source)


def _embed(
    args: argparse.Namespace, opened: Opened, terminal: Terminal, subsets: bool, check: Check
) -> Embedded:
    from nextreid.embedding.embedder import each_subset
    from nextreid.evaluation.results.provenance import Source
    from nextreid.model.pretrained import weights_sha256

    loaded = load(args, opened)
    check(loaded.reader, loaded.captions)
    sha256 = weights_sha256(args.model)
    say_what_runs(loaded, args, terminal, sha256=sha256)
    test = opened.manifest.split("test")
    present = {name for row in test.rows for name in row.paths}
    shown = tuple(name for name in test.modalities if name in present)
    unseen = warn_of_unseen(loaded.reader, shown, terminal)
    embeddings = embed_rows(
        loaded.reader,
        test.rows,
        loaded.captions,
        terminal=terminal,
        subsets=each_subset(shown) if subsets else (),
        batch_size=args.batch_size,
        precision=args.precision,
        fill=args.fill or "mask",
    )
    settings = {
        "captions": loaded.captions.source,
        "captions_from_truth": loaded.captions.from_truth,
        "precision": args.precision,
        "fill": args.fill or "mask",
        "modalities_shown": list(shown),
        "modalities_unseen": list(unseen),
    }
    return Embedded(
        embeddings,
        loaded.captions,
        settings,
        device=str(loaded.reader.device),
        reader=loaded.reader,
        model=Source(path=str(args.model), sha256=sha256),
    )
