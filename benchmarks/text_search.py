"""Does text search survive fine-tuning? Sentence-to-image retrieval before and after training NEXT.

    python benchmarks/text_search.py [--seed 0] [--text 0 0.2] [--done 0.2=runs/quickstart]

For each weight of the image-sentence term (`loss.text`), the quickstart's recipe is trained from
builtin:clip-small on the quickstart's world (the same world, draws and steps; only the weight differs). The
test split, whose identities were never trained on, is then probed: sentences of the truth asked of galleries
of one modality and of all mixed, with the pretrained backbone before training and with the trained model's
class tokens after it. What is recorded is Rank-1 for sentences that are true of a tenth of the gallery at
most ("specific"), and for any. --done names the folder of a quickstart that was already run with that weight
and seed. Written to benchmarks/results/text_search.json.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from nextreid.cli.main import main as nextreid

RESULTS = Path(__file__).parent / "results"
BACKBONE = "builtin:clip-small"


def run(*words: str) -> None:
    """Run a command line; stop where it fails."""
    if nextreid([*words, "--quiet"]) != 0:
        raise SystemExit(f"nextreid {' '.join(words)} failed")


def retrieval(model: str, world: Path, out: Path) -> dict[str, Any]:
    """Return sentence-to-image scores of a model on the world's test split."""
    run("model", "probe", "--model", model, "--data", str(world), "--out", str(out))
    document = json.loads((out / "probe.json").read_text())
    return {
        f"{row['sentences']}/{row['gallery']}": {
            "rank1": row["metrics"]["rank1"],
            "chance": row["chance"]["rank1"],
            "rank1_ci": row["metrics"]["rank1_ci"],
        }
        for row in document["retrieval"]
        if row["direction"] == "sentence-to-image"
    }


def check(out: Path, results: dict[str, Any], *, weight: float, seed: int) -> None:
    """Check that a quickstart is the one that was asked for."""
    config = yaml.safe_load((out / "run" / "config.yaml").read_text())
    found = (config["loss"]["text"], results["seed"], config["model"]["backbone"])
    if found != (weight, seed, BACKBONE):
        raise SystemExit(f"{out} is a quickstart of (loss.text, seed, backbone) = {found}")


def main() -> None:
    """Run and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", type=float, nargs="+", default=[0.0, 0.2])
    parser.add_argument("--done", nargs="*", default=[], metavar="WEIGHT=DIR")
    options = parser.parse_args()
    done = {float(weight): Path(place) for weight, _, place in (word.partition("=") for word in options.done)}
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for weight in options.text:
            out = done.get(weight, Path(folder) / f"text-{weight}")
            if weight not in done:
                run(
                    "quickstart",
                    "--out",
                    str(out),
                    "--seed",
                    str(options.seed),
                    "--run.loss.text",
                    str(weight),
                )
            results = json.loads((out / "results.json").read_text())
            check(out, results, weight=weight, seed=options.seed)
            if not before:
                before = retrieval(BACKBONE, out / "world", Path(folder) / "before")
            after = retrieval(str(out / "run" / "model"), out / "world", Path(folder) / f"after-{weight}")
            kept = {name: after[name]["rank1"] / max(before[name]["rank1"], 1e-9) for name in before}
            rows.append({"loss.text": weight, "mAP": results["metrics"]["mAP"], "after": after, "kept": kept})
            report = {
                "command": f"python benchmarks/text_search.py --seed {options.seed} --text "
                + " ".join(map(str, options.text)),
                "backbone": BACKBONE,
                "before": before,
                "runs": rows,
                "selection": results["selection"],
                "hardware": results["hardware"],
                "versions": results["versions"],
            }
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / "text_search.json").write_text(json.dumps(report, indent=2) + "\n")
            print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
