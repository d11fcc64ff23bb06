"""What the dense term of pretraining is worth: the same pretraining with it and without.

    python benchmarks/dense_term.py [--worlds DIR] [--steps 1200] [--runs DIR]

Runs `nextreid pretrain` twice: as it is, and with `--class-token-only`. Both see the same pictures, begin
with the same weights and run their whole schedule in a tenth of the steps that the shipped weights had, all
else as by default; so their figures lie below those of the shipped weights. Each is probed on the worlds of
benchmarks/zero_shot.py: both read attributes off the class token; pointing asks the patch tokens. One seed.
--worlds holds the pretraining's pictures, or will (14 GB); --runs keeps the two runs, and what is there is
not made again. Written to benchmarks/results/dense_term.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nextreid.embedding.reader_source import KIND_SIZE
from nextreid.model.clip_folder import read_notes
from zero_shot import SEED, probed, said, world

RESULTS = Path(__file__).parent / "results"
VARIANTS: dict[str, tuple[str, ...]] = {
    "with the dense term": (),
    "class token only": ("--class-token-only",),
}


def pretrained(out: Path, extra: tuple[str, ...], options: argparse.Namespace) -> Path:
    """Run a pretraining, or find it done; return its CLIP folder."""
    if not (out / "model" / "model.safetensors").is_file():
        words = ["--out", out, "--train.steps", options.steps, "--train.devices", options.devices, *extra]
        if options.worlds:
            words += ["--worlds", options.worlds]
        if (out / "checkpoints" / "last.ckpt").is_file():
            words += ["--resume"]
        # a program of its own: with several processes it starts itself again
        program = [sys.executable, "-m", "nextreid.cli.main", "pretrain"]
        code = subprocess.run([*program, *map(str, words)], check=False).returncode
        if code:
            sys.exit(code)
    return out / "model"


def main() -> None:
    """Pretrain twice, probe, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=Path, help="where rendered pictures lie, or shall lie")
    parser.add_argument("--runs", type=Path, help="keep the two runs here, and use them again")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--devices", type=int, default=2, help="processes of each training")
    parser.add_argument("--device", default="auto", help="of the probes")
    parser.add_argument("--out", type=Path, default=RESULTS / "dense_term.json")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "command": f"python benchmarks/dense_term.py --steps {options.steps}",
        "worlds": {},
        "variants": {},
    }
    asked = argparse.Namespace(identities=240, cameras=4, per_camera=1, seed=SEED, device=options.device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        options.worlds = options.worlds or folder / "worlds"
        for name, extra in VARIANTS.items():
            model = pretrained(folder / name.replace(" ", "-"), extra, options)
            notes = read_notes(model)
            row: dict[str, Any] = {
                "pretraining": {
                    "seed": notes.seed,
                    "steps": notes.steps,
                    "class_token_only": notes.class_token_only,
                    "seconds": notes.seconds,
                    "hardware": notes.hardware,
                    "loss": list(notes.loss[-1]),
                }
            }
            for kind in KIND_SIZE:
                place = folder / f"{kind}-{SEED}"
                report["worlds"][kind] = world(place, kind, asked)
                found = probed(str(model), place, asked)
                row[kind] = found["summary"]
                report |= {"hardware": found["hardware"], "versions": found["versions"]}
                print(f"{name}, {kind}: {said(found)}")
            report["variants"][name] = row
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
