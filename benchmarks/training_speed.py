"""Training throughput of the CPU recipe, NEXT beside its two baselines, in one run.

    python benchmarks/training_speed.py [--epochs 2] [--recipe cpu-small]

Renders a small world, trains each model on it through the command line, and reads the observations per
second of every step from RUN/metrics.csv (loading, augmentation, model, loss and optimiser included). The
figures are medians over the steps after the first ten. Written to benchmarks/results/training_speed.json.
"""

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd

from nextreid.cli.main import main as nextreid
from nextreid.evaluation.results.provenance import hardware, versions

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Train and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--recipe", default="cpu-small")
    options = parser.parse_args()
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        size = ["--identities", "80", "--cameras", "4", "--per-camera", "3", "--size", "192x96"]
        assert nextreid(["synth", str(world), *size, "--seed", "0", "--quiet"]) == 0
        for name in ("next", "concat", "moe"):
            run = Path(folder) / name
            words = ["train", "--data", str(world), "--out", str(run), "--config", options.recipe]
            words += ["--model.name", name, "--train.epochs", str(options.epochs), "--val.rule", "none"]
            if name != "next":  # a term of NEXT's own router
                words += ["--loss.mutual_information", "0"]
            assert nextreid([*words, "--workers", "0", "--quiet"]) == 0
            steps = pd.read_csv(run / "metrics.csv")["observations_per_second"]
            speeds[name] = float(steps.iloc[10:].median())
    report = {
        "command": f"python benchmarks/training_speed.py --epochs {options.epochs} --recipe {options.recipe}",
        "observations_per_second": speeds,
        "next_over_concat": speeds["next"] / speeds["concat"],
        "next_over_moe": speeds["next"] / speeds["moe"],
        "hardware": hardware("cpu"),
        "versions": versions(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training_speed.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
