"""Every scenario on the quickstart's world: NEXT beside plain concatenation, the same backbone and budget.

    python benchmarks/scenarios.py [--keep DIR] [--leave-out tir] [--seed 0]

Runs `nextreid quickstart`, and on its world trains three more models by its recipe (the last epoch is
taken): plain concatenation of the class tokens with all modalities, and NEXT and concatenation again without
one of them (`--data.modalities`). The first two are evaluated with `--scenario all --rerank`, the others with
`--scenario unseen`; of the shipped backbone as it is, structural consistency is measured. It was pretrained
with every modality, so "unseen" means absent from training for re-identification; where the package holds a
backbone that was pretrained without the modality, two more models are trained on it and never see one at all
("strictly"). One seed: differences between models hold for this world and these draws. About 25 minutes on
two cores (35 with the strict ones); --keep keeps world, runs and results, and what is there is not made
again. Written to benchmarks/results/scenarios.json.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from nextreid.attributes.schema import load_schema
from nextreid.cli.main import main as nextreid
from nextreid.data.manifest import load_manifest
from nextreid.embedding.reader_source import load_reader
from nextreid.evaluation.scenarios.consistency import consistency
from nextreid.evaluation.scenarios.consistency_parts import read_parts
from nextreid.model.builtin import shipped

RESULTS = Path(__file__).parent / "results"
MODELS: dict[str, tuple[str, ...]] = {"next": (), "concat": ("--config", "concat")}
METRICS = ("mAP", "mAP_ci", "rank1", "rank1_ci")


def run(*words: object) -> None:
    """Run a command line, and stop where it fails."""
    code = nextreid([*map(str, words), "--quiet"])
    if code != 0:
        raise SystemExit(f"nextreid {' '.join(map(str, words))} ended with {code}")


def trained(
    name: str, folder: Path, seed: int, modalities: tuple[str, ...], blind: str | None = None
) -> tuple[Path, float | None]:
    """Train a model as the quickstart does, or find it trained; return it and the seconds it took.

    Args:
        name: of `MODELS`.
        folder: of all runs.
        seed: of the training.
        modalities: those that it sees; empty for all.
        blind: another backbone than the quickstart's.
    """
    if name == "next" and not modalities:
        return folder / "quickstart" / "run" / "model", None
    out = folder / "-".join((name, *modalities, *(("strictly",) if blind else ())))
    if (out / "model" / "model.safetensors").is_file():
        return out / "model", None
    words = [*MODELS[name], "--seed", seed]
    if modalities:
        words += ["--data.modalities", ",".join(modalities)]
    if blind:
        words += ["--model.backbone", blind]
    started = time.monotonic()
    run("train", "--data", folder / "quickstart" / "world", "--out", out, *recipe(folder), *words)
    return out / "model", round(time.monotonic() - started, 1)


def recipe(folder: Path) -> tuple[object, ...]:
    """Return what the quickstart trained with, its data aside."""
    return ("--config", folder / "quickstart" / "run" / "config.yaml")


def unseen_backbones(left_out: str) -> dict[str, str | None]:
    """Return the backbones of the models that never train with a modality; None is the quickstart's."""
    blind = f"builtin:clip-small-without-{left_out}"
    return {"without": None} | ({"strictly without": blind} if blind in shipped() else {})


def evaluated(model: Path, folder: Path, *words: str) -> dict[str, Any]:
    """Evaluate a model on the quickstart's world."""
    out = folder / f"{model.parent.name}.results.json"  # run.results.json: the quickstart's own
    data = folder / "quickstart" / "world"
    run("evaluate", "--model", model, "--data", data, "--protocol", "cross-camera", "--out", out, *words)
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return document


def scores(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return mAP and Rank-1 with their intervals."""
    return {name: metrics[name] for name in METRICS if name in metrics}


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """Return what is recorded of a model trained with all modalities."""
    found = document["scenarios"]
    return {
        "metrics": scores(document["metrics"]),
        "chance": {name: document["chance"][name] for name in ("mAP", "rank1")},
        "reranked": scores(document["reranked"]["metrics"]),
        "missing": {row["name"]: scores(row["metrics"]) for row in found["missing"]["rows"]},
        "any-to-any": {
            "cells": [
                {"query": "+".join(cell["query"]), "gallery": "+".join(cell["gallery"])}
                | {name: cell["metrics"][name] for name in ("mAP", "rank1")}
                for cell in found["any-to-any"]["cells"]
            ],
            "gains": found["any-to-any"]["gains"],
        },
        "random-drop": [
            {"rate": row["rate"], **scores(row["metrics"])} for row in found["random-drop"]["rows"]
        ],
        "fine-grained": {key: value for key, value in found["fine-grained"].items() if key != "attributes"},
        "consistency": found["consistency"],
        "not_run": sorted(document["scenarios_left_out"]),
    }


def backbone(world: Path, seed: int) -> dict[str, Any]:
    """Return the structural consistency of the shipped backbone, before training on identities."""
    manifest = load_manifest(world)
    reader = load_reader("builtin:clip-small", schema=load_schema("person"), seed=seed).reader
    found = consistency(reader, manifest.split("test").rows, read_parts(manifest), seed=seed)
    return {"name": "builtin:clip-small", "consistency": found}


def main() -> None:
    """Train, evaluate, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="folder for world, runs and results, used again")
    parser.add_argument("--leave-out", default="tir", help="modality that two of the models never see")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "scenarios.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        if not (folder / "quickstart" / "results.json").is_file():
            run("quickstart", "--out", folder / "quickstart", "--seed", options.seed)
        modalities = load_manifest(folder / "quickstart" / "world").modalities
        others = tuple(name for name in modalities if name != options.leave_out)
        report: dict[str, Any] = {
            "command": "python benchmarks/scenarios.py",
            "seed": options.seed,
            "left_out": options.leave_out,
            "models": {},
        }
        for name in MODELS:
            model, seconds = trained(name, folder, options.seed, ())
            document = evaluated(model, folder, "--scenario", "all", "--rerank")
            report["models"][name] = {"training_seconds": seconds, **whole(document)}
            for how, blind in unseen_backbones(options.leave_out).items():
                model, seconds = trained(name, folder, options.seed, others, blind)
                unseen = evaluated(model, folder, "--scenario", "unseen")
                report["models"][f"{name} {how} {options.leave_out}"] = {
                    "training_seconds": seconds,
                    "unseen": unseen["scenarios"]["unseen"],
                }
        report["backbone"] = backbone(folder / "quickstart" / "world", options.seed)
        report |= {key: document[key] for key in ("selection", "queries", "protocol", "versions", "hardware")}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
