"""Repeat the beginning of a pretraining and compare its loss curve with the recorded one.

    python benchmarks/pretraining_curve.py [--model builtin:clip-small] [--worlds DIR] [--out DIR]

Reads how the weights were made from their pretraining.json, runs `nextreid pretrain` with the same seed and
options until a tenth of the steps, rendering the worlds first where `--worlds` does not hold them, and
compares every point of the loss curve that lies in that tenth. Points are recorded to five decimals;
`equal` says whether all their digits are equal, as they are on the same machine with the same number of
threads. Written to benchmarks/results/pretraining_curve.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nextreid.evaluation.results.provenance import hardware, versions
from nextreid.model.builtin import PREFIX, weights_root
from nextreid.model.clip_folder import read_notes
from nextreid.model.pretraining_notes import PretrainingNotes
from nextreid.pretraining.fit import CURVE, METRICS, loss_curve
from nextreid.pretraining.pairs import TERMS
from nextreid.training.metrics import read_metrics

RESULTS = Path(__file__).parent / "results"

SHARE = 10
"""A tenth of the steps is repeated: ours, some points of the curve in some minutes."""


def notes_of(model: str) -> PretrainingNotes:
    """Read how a shipped model, or one in a folder, was made."""
    folder = weights_root() / model.removeprefix(PREFIX) if model.startswith(PREFIX) else Path(model)
    return read_notes(folder)


def words_of(notes: PretrainingNotes) -> list[str]:
    """Return the recorded options as words of the command line, the defaults of that time included."""
    words = ["--seed", str(notes.seed)]
    if notes.left_out:
        words += ["--leave-out", notes.left_out]
    if notes.class_token_only:
        words.append("--class-token-only")
    for name, value in notes.settings.items():
        if name == "train.precision":  # "auto" may be another one here
            words += [f"--{name}", str(notes.settings["precision"])]
        elif "." in name:
            words += [f"--{name}", json.dumps(value) if isinstance(value, list) else str(value)]
    return words


def compared(recorded: Sequence[Sequence[float]], repeated: Sequence[Sequence[float]]) -> tuple[float, bool]:
    """Return the largest relative difference of any term at any step, and whether all digits are equal.

    Args:
        recorded, repeated: rows of (step, total, image, dense), the same steps in both.
    """
    largest = 0.0
    for row, other in zip(recorded, repeated, strict=True):
        if row[0] != other[0]:
            raise SystemExit(f"Step {row[0]} is recorded, step {other[0]} was repeated.")
        for old, new in zip(row[1:], other[1:], strict=True):
            largest = max(largest, abs(new - old) / abs(old) if old else abs(new))
    return largest, [list(row) for row in recorded] == [list(row) for row in repeated]


def main() -> None:
    """Repeat, compare and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="builtin:clip-small", help="a shipped name, or a CLIP folder")
    parser.add_argument("--worlds", type=Path, help="where rendered pictures lie, or shall lie")
    parser.add_argument("--out", type=Path, help="folder of the run; default: a temporary one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--results", type=Path, default=RESULTS / "pretraining_curve.json")
    options = parser.parse_args()
    notes = notes_of(options.model)
    until = max(1, notes.steps // SHARE)
    with tempfile.TemporaryDirectory() as temporary:
        run = options.out or Path(temporary) / "run"
        words = ["pretrain", "--out", str(run), "--until", str(until), "--device", options.device]
        if options.worlds:
            words += ["--worlds", str(options.worlds)]
        # a program of its own: with several processes it starts itself again
        program = [sys.executable, "-m", "nextreid.cli.main"]
        code = subprocess.run([*program, *words, *words_of(notes)], check=False).returncode
        if code:
            sys.exit(code)
        repeated = loss_curve(run / METRICS, every=max(1, notes.steps // CURVE))
        seconds = float(read_metrics(run / METRICS)[-1]["seconds"])
    recorded = [list(row) for row in notes.loss if row[0] <= until]
    largest, equal = compared(recorded, repeated)
    report = {
        "command": f"python benchmarks/pretraining_curve.py --model {options.model}",
        "steps": until,
        "of": notes.steps,
        "columns": ["step", "total", *TERMS],
        "recorded": recorded,
        "repeated": repeated,
        "largest_relative_difference": largest,
        "equal": equal,
        "seconds": seconds,
        "hardware": hardware(options.device),
        "versions": versions(),
        "recorded_hardware": notes.hardware,
        "recorded_versions": dict(notes.versions),
        "recorded_weights_sha256": notes.weights_sha256,
    }
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
