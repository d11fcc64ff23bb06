"""`nextreid caption schema show | check`: what a schema asks and says, and what is doubtful in it."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.data.rows import Row


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("show", "check"), help="print it, or look for mistakes in it")
    parser.add_argument(
        "schema",
        metavar="SCHEMA",
        nargs="?",
        default="person",
        help="person, vehicle, or a YAML file of your own (default: person)",
    )
    parser.add_argument(
        "--examples", metavar="N", type=whole_number(0), default=3, help="captions to show (default: 3)"
    )
    parser.add_argument(
        "--prompt", metavar="MODALITY", help="show what a language model is told with such an image"
    )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.attributes.schema import load_schema

    schema = load_schema(args.schema)
    return _check(schema, args, terminal) if args.what == "check" else _show(schema, args, terminal)


def warn_of_kind(schema: "Schema", rows: "Sequence[Row]", terminal: Terminal) -> None:
    """Warn where a schema speaks of another kind of object than the data set does."""
    kinds = sorted({row.kind for row in rows if row.kind})
    if kinds and schema.kind not in kinds:
        terminal.warn(
            f"The schema describes a {schema.kind}, and the data hold {', '.join(kinds)}: "
            "--schema names another."
        )


def _show(schema: "Schema", args: argparse.Namespace, terminal: Terminal) -> int:
    modalities = list(dict.fromkeys(name for a in schema.attributes for name in a.observable))
    terminal.table(
        f"{schema.kind}, version {schema.version}: how well each attribute shows, 0..1",
        ("attribute", "group", *modalities, "values"),
        [
            (
                attribute.name,
                group.name + ("" if group.identity else " (not identity)"),
                *(f"{attribute.observable[m]:g}" if attribute.observable.get(m) else "-" for m in modalities),
                ", ".join(attribute.values),
            )
            for group in schema.groups
            for attribute in group.attributes
        ],
    )
    single = [attribute.name for attribute in schema.attributes if attribute.per_image]
    if single:
        terminal.text(f"Of one picture only, never taken over from another: {', '.join(single)}.")
    examples = _examples(schema, modalities, args.examples, args.seed or 0)
    for example in examples:
        for modality, caption in example.items():
            terminal.text(f"{modality}: {caption or '(nothing can be stated)'}")
        terminal.text("")
    result: dict[str, Any] = {"schema": schema.to_dict(), "examples": examples}
    if args.prompt:
        from nextreid.captions.prompting import answer_schema, instructions

        text = instructions(schema, args.prompt)
        terminal.text(text)
        result |= {"prompt": text, "answer_schema": answer_schema(schema, args.prompt)}
    terminal.result(result)
    return 0


def _examples(schema: "Schema", modalities: list[str], count: int, seed: int) -> list[dict[str, str]]:
    """Describe drawn objects as each modality's caption would, had it seen all that it can."""
    from nextreid.attributes.grammar import Grammar
    from nextreid.seeding import numpy_generator

    grammar, rng = Grammar(schema), numpy_generator(seed, "schema", "examples")
    found = []
    for _ in range(count):
        drawn = {a.name: a.values[int(rng.integers(len(a.values)))] for a in schema.attributes}
        shown = {
            modality: {name: value for name, value in drawn.items() if schema.observable(name, modality)}
            for modality in modalities
        }
        found.append({modality: grammar.caption(values) for modality, values in shown.items()})
    return found


def _check(schema: "Schema", args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.attributes.advice import advise

    advice = advise(schema)
    for entry in advice:
        terminal.text(f"{entry.where}: {entry.what}")
        terminal.text(f"    {entry.do}")
    values = sum(len(attribute.values) for attribute in schema.attributes)
    terminal.text(
        f"{args.schema}: {schema.kind}, {len(schema.groups)} groups, {len(schema.attributes)} attributes, "
        f"{values} values; " + (f"{len(advice)} to look at" if advice else "no mistakes found")
    )
    terminal.result(
        {"schema": args.schema, "kind": schema.kind, "advice": [asdict(entry) for entry in advice]}
    )
    return 0


VERBS = (
    Verb(
        name="caption schema",
        summary="show what can be said about a kind of object, or check a schema of your own",
        example="nextreid caption schema check boats.yaml",
        add_options=_add_options,
        run=_run,
    ),
)
