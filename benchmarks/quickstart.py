"""The quickstart's scores over seeds: the synthetic world, the new weights and every draw change.

    python benchmarks/quickstart.py [--seeds 0 1] [--scratch 0]

Runs `nextreid quickstart` once per seed in a temporary folder (some minutes each on two cores), and for the
seeds after --scratch once more from random weights on the same world (`builtin:small` with the rates, terms
and epochs that were chosen for it; about the same time). Records what results.json says: mAP of the trained
model, the network before training, colour histograms, caption words of the truth, chance, each subset of the
modalities, the paired bootstrap intervals, and the seconds of each stage. The last epoch is taken. The recipe
and the world were adjusted while looking at seed 0; other seeds are blind. Written to
benchmarks/results/quickstart.json.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nextreid.cli.main import main as nextreid

RESULTS = Path(__file__).parent / "results"

SCRATCH = {
    "model.backbone": "builtin:small",
    "optim.backbone_rate": "1e-3",
    "optim.rate": "1e-3",
    "loss.text": "0",
    "train.epochs": "21",
}
"""What a quickstart from random weights changes; the recipe of the quickstart before there were weights."""


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one quickstart, fractions 0..1."""
    rows = document["scenarios"]["missing"]["rows"]
    return {
        "seed": document["seed"],
        "mAP": document["metrics"]["mAP"],
        "mAP_ci": document["metrics"]["mAP_ci"],
        "rank1": document["metrics"]["rank1"],
        "chance_mAP": document["chance"]["mAP"],
        "branches_mAP": {name: branch["mAP"] for name, branch in document["branches"].items()},
        "controls_mAP": {name: c["metrics"]["mAP"] for name, c in document["controls"].items()},
        "gain_over_controls_mAP": {name: c["gain"]["mAP"] for name, c in document["controls"].items()},
        "shown_alone_mAP": {"+".join(row["shown"]): row["metrics"]["mAP"] for row in rows},
        "with_captions_from_truth_mAP": document["with_captions_from_truth"]["metrics"]["mAP"],
        "queries": document["queries"],
        "selection": document["selection"],
        "seconds": document["seconds"],
    }


def quickstart(seed: int, changes: Mapping[str, str], kept: Path | None) -> dict[str, Any]:
    """Run one quickstart, in a folder that is kept or not, and return its results.json."""
    with tempfile.TemporaryDirectory() as folder:
        out = kept or Path(folder) / "quickstart"
        words = [word for name, value in changes.items() for word in (f"--run.{name}", value)]
        if nextreid(["quickstart", "--out", str(out), "--seed", str(seed), *words, "--quiet"]) != 0:
            raise SystemExit(f"the quickstart with seed {seed} failed")
        document: dict[str, Any] = json.loads((out / "results.json").read_text())
        return document


def main() -> None:
    """Run and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--scratch", type=int, nargs="*", default=[0])
    parser.add_argument(
        "--scratch-as-recorded",
        action="store_true",
        help="take the runs from random weights, which shipped weights do not move, from the result file",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave the runs in DIR/NAME-SEED, and take those that are there",
    )
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {"runs": [], "from_random_weights": []}
    scratch_hardware = None
    if options.scratch_as_recorded:
        found = json.loads((RESULTS / "quickstart.json").read_text())
        if found["changes_from_random_weights"] != SCRATCH:
            raise SystemExit("the recorded runs from random weights had other options")
        runs["from_random_weights"], options.scratch = found["from_random_weights"], []
        scratch_hardware = found.get("from_random_weights_hardware") or found["hardware"]
    jobs: list[tuple[str, int, Mapping[str, str]]] = [("runs", seed, {}) for seed in options.seeds]
    jobs += [("from_random_weights", seed, SCRATCH) for seed in options.scratch]
    for name, seed, changes in jobs:
        kept = options.keep / f"{name}-{seed}" if options.keep else None
        done = kept / "results.json" if kept else None
        if done and done.is_file():
            document = json.loads(done.read_text())
        else:
            document = quickstart(seed, changes, kept)
        runs[name].append(summary(document))
        scores = [run["mAP"] for run in runs["runs"]]
        report = {
            "command": f"python benchmarks/quickstart.py --seeds {' '.join(map(str, options.seeds))} "
            f"--scratch {' '.join(str(run['seed']) for run in runs['from_random_weights'])}",
            "mAP_mean": statistics.mean(scores),
            "mAP_spread": statistics.stdev(scores) if len(scores) > 1 else None,
            **runs,
            "changes_from_random_weights": SCRATCH,
            "from_random_weights_hardware": scratch_hardware or document["hardware"],
            "hardware": document["hardware"],
            "versions": document["versions"],
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "quickstart.json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(runs[name][-1], indent=2))


if __name__ == "__main__":
    main()
