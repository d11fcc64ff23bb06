"""`nextreid caption export | import`: caption sets to and from the published form."""

import argparse
from pathlib import Path

from nextreid.cli.caption_schema import warn_of_kind
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.cli.writing import check_out_folder

SHOWN = 10
"""Odd captions named on the terminal; `--json` names all (ours)."""


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("captions", metavar="C", type=Path, help="a caption set")
    parser.add_argument("--split", choices=("train", "test"), help="default: both")
    parser.add_argument("--modalities", help="e.g. rgb,nir (default: all)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the files")


def _export(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.interchange import export_captions
    from nextreid.modality import modality_tuple

    check_out_folder(args.out)
    names = modality_tuple(name.strip() for name in args.modalities.split(",")) if args.modalities else None
    splits = (args.split,) if args.split else None
    files = export_captions(args.captions, args.out, splits=splits, modalities=names)
    terminal.text(", ".join(map(str, files)))
    terminal.result({"files": [str(file) for file in files]})
    return 0


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="holds any of {train,test}_{RGB,NI,TI}.json"
    )
    parser.add_argument("--data", metavar="D", type=Path, required=True, help="the data set they describe")
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument("--schema", help="person, vehicle, or a file (default: the data set's kind)")
    parser.add_argument("--out", metavar="C", type=Path, required=True, help="the caption set to write")


def _import(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.build import schema_of
    from nextreid.captions.interchange import import_captions
    from nextreid.data.manifest import load_manifest

    check_out_folder(args.out)
    manifest = load_manifest(args.data, layout=args.layout)
    schema = schema_of(args.schema or "auto", manifest.rows)
    warn_of_kind(schema, manifest.rows, terminal)
    found = import_captions(args.folder, manifest, schema, args.out)
    share = found.covered / found.words if found.words else 0.0
    terminal.text(
        f"{found.joined} of {found.items} captions belong to an image of {manifest.name}; {found.slots} "
        f"slots; {100 * share:.2f} % of {found.words} words understood; {args.out}"
    )
    for what, odd in (("no image of that name", found.strangers), ("stands again", found.again)):
        for file, item in odd[:SHOWN]:
            terminal.warn(f"{file}: {item!r}: {what}")
        if len(odd) > SHOWN:
            terminal.warn(f"... and {len(odd) - SHOWN} more (--json lists all)")
    terminal.result(
        {
            "captions": str(args.out),
            "files": list(found.files),
            "items": found.items,
            "joined": found.joined,
            "slots": found.slots,
            "words": found.words,
            "covered": found.covered,
            "strangers": [list(odd) for odd in found.strangers],
            "again": [list(odd) for odd in found.again],
        }
    )
    return 0


VERBS = (
    Verb(
        name="caption export",
        summary="write a caption set's texts as files of the published form",
        example="nextreid caption export captions/gpt --out text",
        add_options=_add_export,
        run=_export,
    ),
    Verb(
        name="caption import",
        summary="make a caption set of published captions; exporting it gives the same files",
        example="nextreid caption import RGBNT201/text --data RGBNT201 --out RGBNT201/captions/next",
        add_options=_add_import,
        run=_import,
    ),
)
