"""Keeping the embeddings that made a result beside it, so that `nextreid verify` can recompute it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.cli.writing import check_out
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.embedding.embeddings import Embeddings
    from nextreid.evaluation.results.provenance import Source

NOT_KEPT = "none"
"""The word that stands for no file."""


def add_keeping_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--save-embeddings`."""
    parser.add_argument(
        "--save-embeddings",
        metavar="FILE",
        help="where to keep the vectors that were scored, for `nextreid verify` "
        f"(default: beside --out, as NAME.embeddings.npz; {NOT_KEPT}: nowhere)",
    )


def place_of_embeddings(args: argparse.Namespace) -> Path | None:
    """Return the file that embeddings will be kept in; None: nowhere. Asked before the work.

    Raises:
        InputError: the option with embeddings that are a file already, or a place that cannot be written.
    """
    wanted: str | None = args.save_embeddings
    if args.embeddings is not None:
        if wanted is not None:
            raise InputError(
                f"option --save-embeddings has no effect with --embeddings {args.embeddings}",
                do="leave it out: the results name that file",
            )
        return None
    if wanted == NOT_KEPT:
        return None
    if wanted is None:
        out: Path = args.out
        return out.with_name(f"{out.stem}.embeddings.npz")
    check_out(Path(wanted), suffixes=(".npz", ".safetensors"), option="--save-embeddings")
    return Path(wanted)


def keep_embeddings(embeddings: "Embeddings", place: Path | None, results: Path) -> "Source | None":
    """Write the embeddings, and return what the results file says of them."""
    from nextreid.evaluation.results.provenance import Source

    if place is None:
        return None
    return Source.beside(embeddings.save(place), results)


def warn_of_former(args: argparse.Namespace, terminal: Terminal) -> None:
    """Warn of embeddings that a former result left at the usual place, if this one names others or none."""
    usual: Path = args.out.with_name(f"{args.out.stem}.embeddings.npz")
    kept = place_of_embeddings(args) or args.embeddings
    if usual.exists() and (kept is None or usual.resolve() != Path(kept).resolve()):
        terminal.warn(f"{usual} is of a former result, not of {args.out}; delete it if nobody needs it.")
