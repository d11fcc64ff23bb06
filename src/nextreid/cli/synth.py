"""`nextreid synth`: render a synthetic multi-spectral world."""

import argparse
import re
from pathlib import Path

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, cores, whole_number
from nextreid.cli.writing import check_out_folder


def size(text: str) -> tuple[int, int]:
    """Read `256x128` as (height, width)."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or min(map(int, match.groups())) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; allowed: HEIGHTxWIDTH, e.g. 256x128")
    return int(match[1]), int(match[2])


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write; must not exist or be empty")
    parser.add_argument("--kind", choices=("person", "vehicle"), default="person")
    parser.add_argument(
        "--identities", type=whole_number(2), default=40, help="all of them, both splits (default: 40)"
    )
    parser.add_argument("--cameras", type=whole_number(1), default=4, help="default: 4")
    parser.add_argument(
        "--per-camera",
        type=whole_number(1),
        default=3,
        help="observations an identity and camera (default: 3)",
    )
    parser.add_argument("--size", type=size, default=None, help="default: 256x128, vehicles 128x256")
    parser.add_argument("--layout", choices=("manifest", "rgbnt201"), default="manifest")
    parser.add_argument(
        "--tir", choices=("false-colour", "gray"), default="false-colour", help="how heat is stored"
    )
    parser.add_argument(
        "--test-fraction", type=float, default=0.5, help="share of the identities (default: 0.5)"
    )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.synthetic.world import write_world

    check_out_folder(args.out, option="OUT")
    summary = write_world(
        args.out,
        kind=args.kind,
        identities=args.identities,
        cameras=args.cameras,
        per_camera=args.per_camera,
        seed=args.seed or 0,
        size=args.size,
        layout=args.layout,
        tir=args.tir,
        test_fraction=args.test_fraction,
        workers=cores() if args.workers is None else args.workers,
        progress=terminal.progress,
    )
    rate = summary.observations / max(summary.seconds, 1e-9)
    terminal.text(
        f"{summary.observations} observations of {summary.identities} identities in {summary.root} "
        f"({summary.seconds:.1f} s, {rate:.1f} a second)"
    )
    terminal.result(
        {
            "root": str(summary.root),
            "observations": summary.observations,
            "identities": summary.identities,
            "train_identities": summary.train_identities,
            "test_identities": summary.test_identities,
            "seconds": summary.seconds,
        }
    )
    return 0


VERBS = (
    Verb(
        name="synth",
        summary="render a synthetic world of persons or vehicles in RGB, near-infrared and thermal",
        example="nextreid synth world --kind person --identities 20 --cameras 3 --per-camera 2 --seed 0",
        add_options=_add_options,
        run=_run,
    ),
)
