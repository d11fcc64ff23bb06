"""`nextreid embed`: observations in, vectors out."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.reading import Opened, open_data
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.cli.writing import check_out
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.captions.sentences import Captions
    from nextreid.data.manifest import Manifest, Row
    from nextreid.embedding.embedder import NextReID
    from nextreid.embedding.embeddings import Embeddings

EACH = "each-subset"


def add_model_options(parser: argparse.ArgumentParser, *, data_required: bool = True) -> None:
    """Declare the options of `embed` and `evaluate` that say how a model is used."""
    parser.add_argument(
        "--data", metavar="D", required=data_required, help="manifest, folder with one, or benchmark folder"
    )
    parser.add_argument("--layout", help="benchmark layout, where it is not recognised")
    parser.add_argument(
        "--captions",
        metavar="auto|none|NAME|DIR",
        default="auto",
        help="auto: published files beside the data, but none from a synthetic world's truth; NAME: a set "
        "in the data's captions/ (default: auto)",
    )
    parser.add_argument(
        "--batch-size", type=whole_number(1), default=64, help="observations at a time (default: 64)"
    )
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="default: fp32")


def add_fill_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--fill`."""
    parser.add_argument(
        "--fill",
        choices=("mask", "zero"),
        help="an absent modality is left out (mask), or its image is zero after normalisation, as in other "
        "published code (zero); default: mask",
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="M", type=Path, required=True, help="model folder, e.g. RUN/model")
    add_model_options(parser)
    parser.add_argument(
        "--out", metavar="E", type=Path, required=True, help="file to write, .npz or .safetensors"
    )
    parser.add_argument("--split", choices=("train", "test", "all"), default="test", help="default: test")
    parser.add_argument(
        "--modalities",
        metavar="NAMES",
        help=f"use only these, e.g. rgb,nir; or {EACH}: all of them, and every subset besides",
    )
    add_fill_option(parser)


@dataclass(frozen=True)
class Loaded:
    """A model, data and captions, ready for embedding.

    Attributes:
        reader: the model.
        opened: the data.
        captions: what the experts hear.
    """

    reader: "NextReID"
    opened: Opened
    captions: "Captions"


def load(args: argparse.Namespace, opened: Opened) -> Loaded:
    """Load the model and captions that `--model` and `--captions` name."""
    from nextreid.attributes.schema import Schema
    from nextreid.captions.sentences import captions_of
    from nextreid.embedding.embedder import NextReID

    reader = NextReID.from_pretrained(args.model, device=args.device)
    schema = Schema.from_dict(reader.pretrained.architecture.schema)
    captions = captions_of(opened.manifest, args.captions, schema, truth=False)
    return Loaded(reader, opened, captions)


def say_what_runs(loaded: Loaded, args: argparse.Namespace, terminal: Terminal, *, sha256: str) -> None:
    """Remark on the model, its weights, the device and the captions before the work."""
    architecture = loaded.reader.pretrained.architecture
    manifest = loaded.opened.manifest
    terminal.remark(
        f"model: {args.model} ({architecture.name}, {'+'.join(architecture.modalities)}, "
        f"{architecture.size[0]}x{architecture.size[1]}), weights {sha256[:12]}, "
        f"on {loaded.reader.device}"
    )
    terminal.remark(f"data: {manifest.source} ({len(manifest)} observations, sha256 {manifest.sha256[:12]})")
    terminal.remark(f"captions: {loaded.captions.source}{_label(loaded.captions)}")
    kind = str(architecture.schema["kind"])
    kinds = sorted({row.kind for row in manifest.rows if row.kind})
    if kinds and kind not in kinds:
        terminal.warn(
            f"The model was made for {kind} observations; these are {', '.join(kinds)} observations."
        )


def warn_of_unseen(reader: "NextReID", shown: Sequence[str], terminal: Terminal) -> tuple[str, ...]:
    """Warn of modalities that the model is shown without having been trained with them, and return them."""
    unseen = tuple(name for name in shown if name not in reader.modalities)
    if unseen:
        known = [name for name in shown if name in reader.modalities]
        less = f"; `nextreid embed --modalities {','.join(known)}` leaves them out" if known else ""
        terminal.warn(
            f"The vectors are made from modalities that the model was not trained with, too: "
            f"{', '.join(unseen)} (trained with {', '.join(reader.modalities)}){less}."
        )
    return unseen


def _label(captions: "Captions") -> str:
    """Return what else to say of captions that describe the answer, used or passed over."""
    from nextreid.captions.sentences import ANSWER_BESIDE

    honest = "`nextreid caption generate` makes a set from the images, for `--captions SET`"
    if captions.from_truth:
        return f" (written from the world's truth: they describe the answer; {honest})"
    return f"; {honest}" if captions.source == ANSWER_BESIDE else ""


def embed_rows(
    reader: "NextReID",
    rows: "tuple[Row, ...]",
    captions: "Captions",
    *,
    terminal: Terminal,
    subsets: tuple[tuple[str, ...], ...] = (),
    batch_size: int = 64,
    precision: str = "fp32",
    fill: str = "mask",
) -> "Embeddings":
    """Embed rows of a manifest, in their order."""
    return reader.embed(
        [row.to_observation(captions.sentences(row.observation)) for row in rows],
        places=[row.place for row in rows],
        subsets=subsets,
        batch_size=batch_size,
        precision="bf16" if precision == "bf16" else "fp32",
        fill="zero" if fill == "zero" else "mask",
        progress=terminal.progress,
    )


def shown_modalities(manifest: "Manifest", wanted: str | None) -> tuple[str, ...]:
    """Return the modalities that are shown to the model.

    Raises:
        InputError: one that the data does not have.
    """
    from nextreid.modality import modality_tuple

    if wanted is None or wanted == EACH:
        return manifest.modalities
    names = modality_tuple(name.strip() for name in wanted.split(","))
    strangers = [name for name in names if name not in manifest.modalities]
    if strangers:
        raise InputError(
            f"option --modalities: {manifest.source} has no {', '.join(strangers)}",
            allowed=f"{', '.join(manifest.modalities)}, or {EACH}",
        )
    return names


def restrict(manifest: "Manifest", shown: tuple[str, ...], terminal: Terminal) -> "Manifest":
    """Return the manifest with some modalities only; rows with none of them are left out, and counted."""
    from dataclasses import replace

    rows = [
        replace(
            row,
            paths={name: path for name, path in row.paths.items() if name in shown},
            boxes={name: box for name, box in row.boxes.items() if name in shown},
        )
        for row in manifest.rows
        if set(row.paths) & set(shown)
    ]
    if len(rows) < len(manifest):
        terminal.warn(
            f"Left out {len(manifest) - len(rows)} observations that have none of {', '.join(shown)}."
        )
    return replace(manifest, rows=tuple(rows), modalities=shown)


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.embedding.embedder import check_model_folder, each_subset
    from nextreid.model.pretrained import weights_sha256

    check_out(args.out, suffixes=(".npz", ".safetensors"))
    check_model_folder(args.model)
    split = None if args.split == "all" else args.split
    opened = open_data(args.data, layout=args.layout, on_error=args.on_error, split=split, terminal=terminal)
    loaded = load(args, opened)
    say_what_runs(loaded, args, terminal, sha256=weights_sha256(args.model))
    manifest = loaded.opened.manifest
    if args.split != "all":
        manifest = manifest.split(args.split)
    shown = shown_modalities(manifest, args.modalities)
    if shown != manifest.modalities:
        manifest = restrict(manifest, shown, terminal)
    warn_of_unseen(loaded.reader, manifest.modalities, terminal)
    if not manifest.rows:
        raise InputError(f"{args.data} has no observation in the split {args.split!r}", do="use --split all")
    embeddings = embed_rows(
        loaded.reader,
        manifest.rows,
        loaded.captions,
        terminal=terminal,
        subsets=each_subset(manifest.modalities) if args.modalities == EACH else (),
        batch_size=args.batch_size,
        precision=args.precision,
        fill=args.fill or "mask",
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    embeddings.save(args.out)
    width = embeddings.vectors.shape[1]
    terminal.text(f"{len(embeddings)} observations x {width} in {args.out}")
    terminal.result(
        {
            "out": str(args.out),
            "observations": len(embeddings),
            "width": width,
            "branches": {name: [part.start, part.stop] for name, part in embeddings.branches.items()},
            "subsets": sorted(embeddings.subsets),
            "captions": loaded.captions.source,
            "fill": args.fill or "mask",
            "left_out": loaded.opened.summary(),
        }
    )
    return 0


VERBS = (
    Verb(
        name="embed",
        summary="turn observations into vectors, one a row",
        example="nextreid embed --model runs/first/model --data world --out embeddings.npz",
        add_options=_add_options,
        run=_run,
    ),
)
