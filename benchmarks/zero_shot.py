"""Zero-shot probes of models, side by side, on worlds that no training has seen.

    python benchmarks/zero_shot.py [--model builtin:clip-small] [--model ...] [--worlds DIR]

Renders one world of persons and one of vehicles (seed 7001: neither a pretraining world nor the
quickstart's), then runs `nextreid model probe` on each for every model. 240 identities, one sighting by each
of 4 cameras. Probed is the part of the world that is laid out like a training split, where few share
all their attributes, so that nearly all values occur (a test split's look-alikes show a few values of each
attribute, and chance is high); no model has seen the world's seed. The constant patch positions are chosen
on the other part. A trained model is probed on its own kind only. `--seed 7002` renders worlds that nothing
here was tuned on, and writes benchmarks/results/zero_shot_7002.json.
Without --model: the shipped weights, and the summary of each sibling that never saw one modality.
With --worlds the worlds are kept and used again.
Written to benchmarks/results/zero_shot.json.
"""

import argparse
import io
import json
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nextreid.cli.main import main as nextreid
from nextreid.embedding.reader_source import KIND_SIZE, is_model_folder
from nextreid.evaluation.results.provenance import sha256_of
from nextreid.model.builtin import shipped
from nextreid.synthetic.plan import PRETRAINING_SEEDS

RESULTS = Path(__file__).parent / "results"
SEED = 7001
KEPT = ("model", "data", "settings", "seed", "summary", "attributes", "retrieval", "pointing", "unmeasured")


def run(*words: str) -> None:
    """Run a command line; stop where it fails."""
    with redirect_stdout(io.StringIO()):  # its tables; the figures are in its files
        code = nextreid([*words, "--quiet"])
    if code != 0:
        raise SystemExit(f"nextreid {' '.join(words)} failed")


def world(folder: Path, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Render a world, or find it rendered; return what it is."""
    size = KIND_SIZE[kind]
    wanted = {
        "kind": kind,
        "identities": options.identities,
        "cameras": options.cameras,
        "per_camera": options.per_camera,
        "seed": options.seed,
        "size": list(size),
        "test_fraction": 0.2,
    }
    if not (folder / "world.json").is_file():
        words = [f"--{key.replace('_', '-')}={value}" for key, value in wanted.items() if key != "size"]
        run("synth", str(folder), *words, f"--size={size[0]}x{size[1]}")
    spec = json.loads((folder / "world.json").read_text())["spec"]
    if {key: spec[key] for key in wanted} != wanted:
        raise SystemExit(f"{folder} holds another world; name another folder with --worlds")
    return {**wanted, "truth_sha256": sha256_of(folder / "truth.parquet")}


def probed(model: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Probe a model on a world."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        words = ["--model", model, "--data", str(folder), "--split", "train"]
        run("model", "probe", *words, "--out", out, "--device", options.device)
        document = json.loads((Path(out) / "probe.json").read_text())
    found = {key: document[key] for key in KEPT}
    found["data"] = {**found["data"], "path": folder.name}
    found["attributes"] = [
        {key: value for key, value in row.items() if key not in ("recalls", "rare")}
        for row in found["attributes"]
    ]
    return {
        **found,
        "seconds": round(time.perf_counter() - started, 1),
        "hardware": document["hardware"],
        "versions": document["versions"],
    }


def said(found: dict[str, Any]) -> str:
    """Return the headline figures of one probe."""
    summary = found["summary"]
    daylight = summary["attributes"].get("daylight", {}).get("rgb")
    attributes = f"RGB daylight {100 * daylight['balanced']:.1f} %, " if daylight else ""
    below = [f"{row['attribute']}/{row['modality']}" for row in summary["below_twice_chance"].get("all", [])]
    pointing = summary["pointing"].get("all") or next(iter(summary["pointing"].values()), None)
    pointed = f"pointing {pointing['times_chance']:.1f}x, " if pointing else ""
    ratios = {
        f"{row['gallery']} {row['sentences']}": f"{row['times_chance']:.1f}x"
        for row in summary["retrieval"]
        if row["direction"] == "sentence-to-image"
    }
    return f"{attributes}{pointed}Rank-1 {ratios}; below twice chance: {', '.join(below) or 'none'}"


def main() -> None:
    """Render, probe and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="repeatable; default: those that are shipped")
    parser.add_argument("--worlds", type=Path, help="keep the worlds here, and use them again")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KIND_SIZE), default=sorted(KIND_SIZE))
    parser.add_argument("--identities", type=int, default=240)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--per-camera", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the worlds (default: {SEED})")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/zero_shot[_SEED].json")
    options = parser.parse_args()
    if options.seed in PRETRAINING_SEEDS:
        parser.error(f"--seed {options.seed}: pretraining's own seeds are no test")
    usual = options.seed == SEED
    out = options.out or RESULTS / ("zero_shot.json" if usual else f"zero_shot_{options.seed}.json")
    models = options.model or list(shipped())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.worlds or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        worlds = {kind: world(folder / f"{kind}-{options.seed}", kind, options) for kind in options.kinds}
        report: dict[str, Any] = {
            "command": "python benchmarks/zero_shot.py"
            + "".join(f" --model {name}" for name in options.model or ())
            + ("" if usual else f" --seed {options.seed}"),
            "worlds": worlds,
            "models": {},
        }
        for model in models:
            own = None
            if is_model_folder(model):
                config = json.loads((Path(model) / "config.json").read_text())
                own = config["architecture"]["schema"]["kind"]
            report["models"][model] = {}
            for kind in options.kinds:
                if own in (None, kind):
                    found = probed(model, folder / f"{kind}-{options.seed}", options)
                    report |= {"hardware": found.pop("hardware"), "versions": found.pop("versions")}
                    print(f"{model}, {kind}: {said(found)}")
                    if options.model is None and model != models[0]:  # a sibling
                        found = {"summary": found["summary"], "seconds": found["seconds"]}
                    report["models"][model][kind] = found
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(out)


if __name__ == "__main__":
    main()
