"""`nextreid model probe`: what a model knows of images and sentences before it is trained for a task."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.embed import restrict, shown_modalities
from nextreid.cli.reading import Opened, open_data
from nextreid.cli.synth import size
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.data.manifest import Manifest
    from nextreid.embedding.reader_source import LoadedReader
    from nextreid.evaluation.probe.probe import Probe, ProbeData, ProbeSettings

FILES = ("probe.json", "probe.md", "probe.png", "pointing.png")
"""What --out may hold afterwards."""

ORIGINS = {"clip": "published weights", "builtin": "pretrained weights", "scratch": "random weights"}
"""Where weights came from, in words."""

UNMEASURED = 12
"""Things not measured that are named on the terminal for each reason (ours); probe.json names all."""


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="M", required=True, help="builtin:NAME, hub id, CLIP folder, or RUN/model"
    )
    parser.add_argument(
        "--data", metavar="D", required=True, help="a synthetic world; or data with published captions"
    )
    parser.add_argument("--layout", help="benchmark layout, where it is not recognised")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help=f"gets {', '.join(FILES)}")
    parser.add_argument(
        "--size",
        type=size,
        help="input of a CLIP (default: persons 192x96, vehicles 96x192); a trained model has its own",
    )
    parser.add_argument("--modalities", metavar="NAMES", help="only these, e.g. rgb,nir (default: all)")
    parser.add_argument("--split", choices=("train", "test", "all"), default="test", help="default: test")
    parser.add_argument(
        "--schema", default="auto", help="attribute schema: person, vehicle or a file (default: by the data)"
    )
    parser.add_argument(
        "--captions",
        metavar="auto|none|NAME|DIR",
        default="auto",
        help="sentences for data without truth: published files beside the data (auto), none, a caption set "
        "of the data by its name, or a folder",
    )
    parser.add_argument(
        "--least",
        type=whole_number(1),
        default=5,
        help="images that must show a value for it to be scored (default: 5)",
    )
    parser.add_argument(
        "--sentences", type=whole_number(1), default=200, help="asked of each gallery (default: 200)"
    )
    parser.add_argument(
        "--gallery", type=whole_number(2), default=500, help="images of each gallery at most (default: 500)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number(1), default=64, help="images at a time (default: 64)"
    )


def _probe(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.embedding.reader_source import is_model_folder, load_reader
    from nextreid.evaluation.probe.data import check_data
    from nextreid.evaluation.probe.probe import ProbeSettings, probe
    from nextreid.evaluation.probe.report import probe_document, write_document, write_markdown
    from nextreid.evaluation.results.provenance import Source

    _check_folder(args.out)
    is_model_folder(args.model)  # the folder of a run is told before images are read
    split = None if args.split == "all" else args.split
    opened = open_data(args.data, layout=args.layout, on_error=args.on_error, split=split, terminal=terminal)
    manifest, schema = opened.manifest, _schema(args.schema, opened.manifest)
    modalities = shown_modalities(manifest, args.modalities)
    data = _data(args, restrict(manifest, modalities, terminal), schema)
    check_data(data, modalities)
    seed = args.seed or 0
    settings = ProbeSettings(least=args.least, sentences=args.sentences, gallery=args.gallery, seed=seed)
    loaded = load_reader(
        args.model, schema=schema, size=args.size, device=args.device, seed=seed, batch_size=args.batch_size
    )
    _say_what_runs(loaded, opened, terminal, schema.kind, modalities)
    found = probe(loaded.reader, data, modalities, settings=settings, progress=terminal.progress)
    document = probe_document(
        found,
        model=model_entry(loaded),
        data=Source(path=str(manifest.source), sha256=manifest.sha256, name=manifest.name),
        kind=schema.kind,
        split=args.split,
        settings=settings,
        left_out=opened.summary(),
        device=str(loaded.reader.device),
    )
    args.out.mkdir(parents=True, exist_ok=True)
    written = [
        write_document(document, args.out / "probe.json"),
        write_markdown(document, args.out / "probe.md"),
        *_draw(found, loaded, data, modalities, args.out, settings),
    ]
    _show(document, terminal)
    terminal.text(f"in {args.out}: {', '.join(path.name for path in written)}")
    terminal.result(document)
    return 0


def model_entry(loaded: "LoadedReader") -> dict[str, Any]:
    """Return what results say of the probed model."""
    return {
        "source": loaded.source,
        "form": loaded.form,
        "origin": loaded.origin,
        "kind": loaded.kind,
        "saw": None if loaded.saw is None else list(loaded.saw),
        "sha256": loaded.sha256,
        "size": list(loaded.reader.size),
        "grid": list(loaded.reader.grid),
        "width": loaded.reader.dim,
        "modalities": list(loaded.reader.modalities),
    }


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"option --out: {out} is a file", allowed="a folder")


def _schema(choice: str, manifest: "Manifest") -> "Schema":
    """Return the schema that the data speak in.

    Raises:
        InputError: observations of several kinds, or of a kind without a schema of its own.
    """
    from nextreid.attributes.schema import BUILTIN, load_schema

    if choice != "auto":
        return load_schema(choice)
    kinds = sorted({row.kind for row in manifest.rows if row.kind})
    if len(kinds) != 1 or kinds[0] not in BUILTIN:
        raise InputError(
            f"{manifest.source} shows " + (" and ".join(kinds) if kinds else "objects of no named kind"),
            allowed=f"one kind of {' or '.join(BUILTIN)} in the column `kind`",
            do="name the attribute schema with --schema; split a manifest of several kinds",
        )
    return load_schema(kinds[0])


def _data(args: argparse.Namespace, manifest: "Manifest", schema: "Schema") -> "ProbeData":
    from nextreid.captions.sentences import captions_of
    from nextreid.evaluation.probe.data import ProbeData
    from nextreid.evaluation.probe.truth import read_truth

    rows = manifest.rows if args.split == "all" else manifest.split(args.split).rows
    if not rows:
        raise InputError(f"{args.data} has no observation in the split {args.split!r}", do="use --split all")
    other = {"test": "train", "train": "test"}.get(args.split)
    truth = read_truth(manifest, schema)
    if truth is not None and args.captions != "auto":
        raise InputError(
            f"--captions {args.captions} with {manifest.source}, which has a truth",
            allowed="captions for data without truth",
            do="leave --captions out: what is asked are sentences of the truth",
        )
    captions: dict[tuple[str, str], str] = {}
    if truth is None:
        words = captions_of(manifest, args.captions, schema, truth=True)  # they are the questions here
        for row in rows:
            said = words.sentences(row.observation)
            for name in row.paths:
                text = " ".join(sentence.text for sentence in said if sentence.evidence == {name})
                captions |= {(row.observation, name): text} if text else {}
    return ProbeData(rows, schema, manifest.split(other).rows if other else (), truth, captions)


def _say_what_runs(
    loaded: "LoadedReader", opened: Opened, terminal: Terminal, kind: str, modalities: tuple[str, ...]
) -> None:
    reader, manifest = loaded.reader, opened.manifest
    terminal.remark(
        f"model: {loaded.source} ({loaded.form}, {ORIGINS[loaded.origin]} {loaded.sha256[:12]}, "
        f"{reader.size[0]}x{reader.size[1]}, {reader.grid[0]}x{reader.grid[1]} patches) on {reader.device}"
    )
    terminal.remark(f"data: {manifest.source} ({len(manifest)} observations, sha256 {manifest.sha256[:12]})")
    if loaded.origin == "scratch" and loaded.form == "clip":
        terminal.warn(f"The weights of {loaded.source} are random: expect chance.")
    elif loaded.saw is not None and (unseen := [name for name in modalities if name not in loaded.saw]):
        terminal.warn(f"The weights of {loaded.source} never saw an image of {', '.join(unseen)}.")
    if loaded.kind not in (None, kind):
        terminal.warn(f"The model was made for {loaded.kind} observations; these are {kind} observations.")


def _draw(
    found: "Probe",
    loaded: "LoadedReader",
    data: "ProbeData",
    modalities: tuple[str, ...],
    out: Path,
    settings: "ProbeSettings",
) -> list[Path]:
    from nextreid.evaluation.probe.pictures import attribute_picture, pointing_picture

    pictures = []
    for name in FILES:
        if name.endswith(".png"):
            (out / name).unlink(missing_ok=True)  # of an earlier probe: this one may draw none
    if found.attributes:
        pictures.append(attribute_picture(found.attributes, out / "probe.png"))
    if found.pointing:
        picture = pointing_picture(loaded.reader, data, modalities, out / "pointing.png", seed=settings.seed)
        pictures += [picture] if picture else []
    return pictures


def _show(document: dict[str, Any], terminal: Terminal) -> None:
    from nextreid.evaluation.probe.report import attribute_table, pointing_table, retrieval_table

    titles = {
        "attributes": ("Attributes, balanced over values, percent (*: below twice chance)", attribute_table),
        "retrieval": ("Retrieval, percent", retrieval_table),
        "pointing": ("Pointing, percent", pointing_table),
    }
    for key, (title, table) in titles.items():
        if document[key]:
            rows = table(document)
            terminal.table(title, rows.header, rows.rows)
    reasons: dict[str, list[str]] = {}
    for gap in document["unmeasured"]:
        reasons.setdefault(gap["why"], []).append(gap["what"])
    for why, what in reasons.items():
        more = f" and {len(what) - UNMEASURED} more (probe.json)" if len(what) > UNMEASURED else ""
        terminal.text(f"not measured, because {why}: {', '.join(what[:UNMEASURED])}{more}")


VERBS = (
    Verb(
        name="model probe",
        summary="measure zero-shot attributes, retrieval by sentences, and pointing",
        example="nextreid model probe --model builtin:clip-small --data world --out probe",
        add_options=_add_probe,
        run=_probe,
    ),
)
