"""`nextreid caption audit`: caption sets side by side, and against the truth where there is one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.cli.writing import check_out_folder
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.captions.audit_sets import AuditedSet
    from nextreid.captions.audit_tables import Table
    from nextreid.captions.truth import Truth
    from nextreid.data.manifest import Manifest

RULES = ("published", "strict")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sets",
        metavar="A",
        nargs="+",
        type=Path,
        help="folders of published files ({train,test}_{RGB,NI,TI}.json, any of them), or caption sets; the "
        "first is the one that others are compared with",
    )
    parser.add_argument(
        "--rule",
        choices=RULES,
        default="published",
        help="what counts as saying unknown: the four words that published figures count, as they stand "
        "between blanks; or whole words in any case and punctuation (default: published)",
    )
    parser.add_argument("--truth", metavar="D", type=Path, help="data set with a truth.parquet, e.g. a world")
    parser.add_argument("--layout", help="benchmark layout of D, where it is not recognised")
    parser.add_argument(
        "--schema", help="what published captions are read in: person, vehicle, a file (default: recognised)"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder for audit.json, audit.md and pictures"
    )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.attributes.schema import load_schema
    from nextreid.captions.audit import audit_sets
    from nextreid.captions.audit_pictures import audit_pictures
    from nextreid.captions.audit_report import audit_document, write_audit
    from nextreid.captions.audit_sets import read_sets
    from nextreid.captions.audit_tables import comparison_table, text_table, truth_table
    from nextreid.data.manifest import load_manifest

    if args.layout and args.truth is None:
        raise InputError("option --layout has no effect without --truth")
    check_out_folder(args.out)
    schema = load_schema(args.schema) if args.schema else None
    manifest = load_manifest(args.truth, layout=args.layout) if args.truth else None
    sets = read_sets(args.sets, schema=schema, manifest=manifest, progress=terminal.progress)
    truths = _truths(manifest, sets) if manifest else None
    audits = audit_sets(sets, rule=args.rule, truths=truths)
    document = audit_document(audits, rule=args.rule, settings=_settings(args, manifest, sets))
    args.out.mkdir(parents=True, exist_ok=True)
    files = [*write_audit(document, audits, args.out), *audit_pictures(audits, args.out)]
    _show(f"texts, unknown by the rule {args.rule}", text_table(audits), terminal)
    if manifest:
        _show("against the truth, percent", truth_table(audits), terminal)
    if manifest and len(audits) > 1:
        _show("compared with the first, percent", comparison_table(audits), terminal)
    for audited in sets:
        if audited.schema is None:
            terminal.warn(
                f"{audited.name}: neither shipped schema accounts for the captions, so only their texts were "
                "looked at; give the right one with --schema"
            )
        if audited.strangers:
            terminal.warn(f"{audited.name}: {audited.strangers} captions of images that the data do not list")
    terminal.text(", ".join(map(str, files)))
    terminal.result(document)
    return 0


def _show(title: str, table: "Table", terminal: Terminal) -> None:
    header, rows = table
    terminal.table(title, header, rows)


def _truths(manifest: "Manifest", sets: "tuple[AuditedSet, ...]") -> "dict[str, Truth]":
    from nextreid.captions.truth import read_truth

    schemas: dict[str, Schema] = {found.schema.kind: found.schema for found in sets if found.schema}
    return {kind: read_truth(manifest, schema) for kind, schema in schemas.items()}


def _settings(
    args: argparse.Namespace, manifest: "Manifest | None", sets: "tuple[AuditedSet, ...]"
) -> dict[str, Any]:
    data = None
    if manifest is not None:
        data = {"name": manifest.name, "path": str(args.truth), "sha256": manifest.sha256}
    return {"truth": data, "schema": args.schema, "sets": [found.name for found in sets]}


VERBS = (
    Verb(
        name="caption audit",
        summary="statistics of caption sets; with truth also accuracy, coverage and calibration",
        example="nextreid caption audit text captions/gpt --rule strict --truth world --out audit",
        add_options=_add_options,
        run=_run,
    ),
)
