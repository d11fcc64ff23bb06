"""`nextreid caption calibrate`: what the confidences of models are worth, measured on labelled data."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.caption_merge import add_answer_options, read_sets, share
from nextreid.cli.reading import open_data
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.cli.writing import check_out

if TYPE_CHECKING:
    from nextreid.captions.calibrating import Calibrated, Proof


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_answer_options(parser)
    parser.add_argument(
        "--truth",
        metavar="D",
        required=True,
        help="labelled data: with a truth.parquet (observation, modality, attribute, value, visible)",
    )
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        required=True,
        help="calibration to write, .json; beside it a .png",
    )
    parser.add_argument(
        "--target-precision",
        type=share,
        metavar="P",
        default=0.9,
        help="share of stated values that shall be right; sets the thresholds (default: 0.9)",
    )
    parser.add_argument(
        "--held-out",
        type=share,
        metavar="P",
        default=0.3,
        help="share of the identities that prove the fit instead of making it (default: 0.3)",
    )
    parser.add_argument("--split", choices=("train", "test"), help="labelled rows to use (default: all)")


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.calibrating import calibrate
    from nextreid.captions.calibration import write_calibration
    from nextreid.captions.truth import read_truth

    check_out(args.out, suffixes=(".json",), replaces="nextreid.calibration")
    schema, answers, _ = read_sets(args.captions, args.model)
    manifest = open_data(
        args.truth, layout=args.layout, on_error="raise", split=args.split, terminal=terminal
    ).manifest
    if args.split:
        manifest = manifest.split(args.split)
    found = calibrate(
        answers,
        read_truth(manifest, schema),
        schema,
        manifest.rows,
        target=args.target_precision,
        held_out=args.held_out,
        seed=args.seed or 0,
    )
    values = _values(found)
    notes = {
        "schema": schema.kind,
        "data": {"name": manifest.name, "sha256": manifest.sha256},
        "target_precision": args.target_precision,
        **values,
    }
    write_calibration(replace(found.calibration, notes=notes), args.out)
    if found.proof is not None:
        from nextreid.captions.calibration_picture import draw_calibration

        draw_calibration(found.proof, args.out.with_suffix(".png"))
    _say(found, args, terminal)
    terminal.result(
        {
            "out": str(args.out),
            "threshold": found.calibration.threshold,
            "complement_threshold": found.calibration.complement_threshold,
            **values,
        }
    )
    return 0


def _values(found: "Calibrated") -> dict[str, Any]:
    proof = found.proof
    return {
        "fitted": found.fitted,
        "unmapped": [list(key) for key in found.unmapped],
        "reached": {"own": found.reached[0], "complemented": found.reached[1]},
        "slots": found.slots,
        "possible": found.possible,
        "held_out": None if proof is None else _proof_values(proof),
    }


def _proof_values(proof: "Proof") -> dict[str, Any]:
    return {
        "observations": proof.observations,
        "slots": proof.slots,
        "precision": proof.precision,
        "ece": {
            "stated": proof.stated.ece,
            "calibrated": proof.calibrated.ece,
            "merged": proof.merged.ece,
        },
    }


def _say(found: "Calibrated", args: argparse.Namespace, terminal: Terminal) -> None:
    wanted = f"{100 * args.target_precision:g} %"
    terminal.text(f"fitted on {found.fitted} observations, so that {wanted} of what is stated are right")
    terminal.text(_rule(found, wanted))
    share = found.slots / max(1, found.possible)
    terminal.text(
        f"on the labelled observations this fills {found.slots} of {found.possible} slots that could be "
        f"({100 * share:.0f} %)"
    )
    if not all(found.reached):
        terminal.warn(
            f"Too few claims are surely {wanted} right: label more observations, or ask for less with "
            "--target-precision."
        )
    for model, modality in found.unmapped:
        terminal.warn(f"{model} in {modality}: too few labelled claims, its confidences stay as stated.")
    proof = found.proof
    if proof is None:
        terminal.warn("Nothing was held out: what the fit is worth is not known.")
        return
    terminal.table(
        f"on {proof.observations} held-out observations",
        ("confidences", "claims", "ECE %", "right %"),
        [
            (name, sum(b.count for b in part.bins), f"{100 * part.ece:.1f}", f"{100 * right:.1f}")
            for name, part in (
                ("as stated", proof.stated),
                ("calibrated", proof.calibrated),
                ("merged", proof.merged),
            )
            for right in [_right(part.bins)]
        ],
    )


def _rule(found: "Calibrated", wanted: str) -> str:
    """Say which values the thresholds let through."""
    fit, (own, together) = found.calibration, found.reached
    least = 1.0 if fit.threshold is None else fit.threshold
    complement = 1.0 if fit.complement_threshold is None else fit.complement_threshold
    alone = f"an image keeps its own value from a confidence of {least:.3f} on"
    if least >= 1.0:
        why = "together they are right more often" if own else f"it is never surely {wanted} right"
        alone = f"an image by itself decides nothing ({why})"
    if complement < 1.0:
        rest = "every" if least >= 1.0 else "any other"
        return f"{alone}; {rest} value is stated where all images together reach {complement:.3f}"
    none = "nothing is complemented" if together else f"images together are never surely {wanted} right"
    left = "nothing is stated" if least >= 1.0 else "every other value is left out"
    return f"{alone}; {none}, so {left}"


def _right(bins: Any) -> float:
    total = sum(part.count for part in bins)
    return sum(part.count * part.precision for part in bins) / total if total else 0.0


VERBS = (
    Verb(
        name="caption calibrate",
        summary="measure on labelled data what confidences are worth, and fit maps and thresholds",
        example="nextreid caption calibrate captions/a --truth world --out calibration.json",
        add_options=_add_options,
        run=_run,
    ),
)
