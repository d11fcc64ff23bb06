"""The protocol of `nextreid evaluate`: which one, what all of them say, and what is left to score."""

import argparse
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.data.manifest import Manifest
    from nextreid.evaluation.protocols import Protocol

LIST = "list"
"""The word that asks for all protocols instead of naming one."""


def add_protocol_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--protocol`."""
    parser.add_argument(
        "--protocol",
        metavar=f"NAME|{LIST}",
        help="which matches count and how, e.g. cross-camera, sysu/all-single, regdb/v2t; "
        f"{LIST}: explain all (default: the benchmark's own; else it has to be given)",
    )


def check_given(args: argparse.Namespace) -> None:
    """Check for the options that scoring needs; the parser does not, since a list needs none of them.

    Raises:
        InputError: some are missing.
    """
    missing = [] if args.model or args.embeddings else ["--model or --embeddings"]
    missing += [f"--{name}" for name in ("data", "out") if getattr(args, name) is None]
    if missing:
        raise InputError(
            f"the following arguments are required: {', '.join(missing)}", do="see `nextreid evaluate --help`"
        )


def protocol_for(manifest: "Manifest", wanted: str | None) -> "Protocol":
    """Return the protocol by option, or the benchmark's own; for a folder of one's own, what its rows allow.

    Raises:
        InputError: neither, or an unknown name.
    """
    from nextreid.data.layouts import FOLDER, layout_of
    from nextreid.data.match_rules import recommend
    from nextreid.evaluation.protocols import PROTOCOLS, protocol_named

    if wanted is not None:
        return protocol_named(wanted)
    fitting = recommend(manifest)
    layout = layout_of(manifest)
    if layout is not None:  # a benchmark without its drawn galleries is an error that names the way out
        return protocol_named(fitting.protocol if layout is FOLDER else layout.protocol)
    raise InputError(
        f"{manifest.source} names no protocol of its own",
        allowed=", ".join(PROTOCOLS),
        do=f"add --protocol {fitting.protocol} ({fitting.why}); `--protocol list` explains all",
    )


def show_protocols(terminal: Terminal) -> None:
    """Print every protocol with its paragraph and citation."""
    from nextreid.evaluation.protocols import PROTOCOLS

    documents = [protocol.document() for protocol in PROTOCOLS.values()]
    for document in documents:
        terminal.text(f"{document['name']} (version {document['version']})")
        terminal.text(f"  {document['summary']}")
        terminal.text(f"  Needs: {', '.join(document['needs'])}")
        terminal.text(f"  From: {document['citation']}\n")
    terminal.result({"protocols": documents})


def say_valid_queries(manifest: "Manifest", protocol: "Protocol", terminal: Terminal) -> None:
    """Count the queries that keep a match before anything is embedded; none at all is an error here."""
    rows = manifest.split("test").rows
    if not rows:
        raise InputError(f"{manifest.source} has no row of the split 'test'", do="check the column `split`")
    trials = protocol.apply([row for row in rows if row.is_query], [row for row in rows if row.is_gallery])
    matching = trials[0].matching
    total = len(matching.query)
    valid = sum(len(matching.positives(query)) > 0 for query in range(total))
    among = f"each of {len(trials)} galleries" if len(trials) > 1 else "the gallery"
    terminal.remark(f"{valid} of {total} queries keep a match in {among} of {len(matching.gallery)} entries")
