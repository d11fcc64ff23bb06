"""What confidence, merging and calibration do to captions: an ablation against the truth.

    python benchmarks/captions.py [--worlds DIR] [--sets DIR] [--noise 1 0.5 2] [--seed 0]

Renders one world of persons and one of vehicles (seed 7201: neither a pretraining world, nor the
quickstart's, nor one that another benchmark scores or fits to; 60 identities, 4 cameras, 2 sightings by each,
half of the identities in each split). Simulated models (captions/backends/noise.yaml) describe the test
split, at plain, half and double noise; `caption merge` makes captions of their answers in five ways:

    no confidence          each image by itself, every value claimed, "unknown" for the rest
    confidence             each image by itself, unsure values left out
    merged                 images complement each other
    merged, calibrated     the same; maps and thresholds (90 % right) were fitted to the training split
    two models             the same with a second model's answers, calibrated together

The `clip` backend describes the same images with the weights of the package, without network or language
model: alone, merged, and merged after calibration. All is measured by `caption audit --truth` under the
strict rule: shares of captions that say they do not know; accuracy and balanced accuracy of what is stated;
share of what any image of the observation shows that is stated; accuracy with what is missing counted as
wrong; and, beside the first row, slots stated by both, and slots that are new. --worlds and --sets keep what
is made. Written to benchmarks/results/captions.json.
"""

import argparse
import io
import json
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nextreid.cli.main import main as nextreid
from nextreid.embedding.reader_source import KIND_SIZE
from nextreid.evaluation.results.provenance import hardware, sha256_of, versions

RESULTS = Path(__file__).parent / "results"
SEED = 7201
SIMULATED = ("no confidence", "confidence", "merged", "merged, calibrated", "two models")
CLIP = ("clip, no confidence", "clip, merged", "clip, merged, calibrated")
FIRST, SECOND = "default", "other"
TARGET = 0.9


def run(*words: object) -> dict[str, Any]:
    """Run a command line and return its result; stop where it fails."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = nextreid([*map(str, words), "--quiet", "--json"])
    if code != 0:
        raise SystemExit(f"nextreid {' '.join(map(str, words))} failed")
    text = said.getvalue().strip()
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def world(folder: Path, kind: str) -> dict[str, Any]:
    """Render a world, or find it rendered; return what it is."""
    size = KIND_SIZE[kind]
    wanted = {
        "kind": kind,
        "identities": 60,
        "cameras": 4,
        "per_camera": 2,
        "seed": SEED,
        "size": list(size),
        "test_fraction": 0.5,
    }
    if not (folder / "world.json").is_file():
        words = [f"--{key.replace('_', '-')}={value}" for key, value in wanted.items() if key != "size"]
        run("synth", folder, *words, f"--size={size[0]}x{size[1]}")
    spec = json.loads((folder / "world.json").read_text())["spec"]
    if {key: spec[key] for key in wanted} != wanted:
        raise SystemExit(f"{folder} holds another world; name another folder with --worlds")
    return {**wanted, "truth_sha256": sha256_of(folder / "truth.parquet")}


def answered(out: Path, data: Path, split: str, *words: object) -> Path:
    """Let a model describe a split."""
    run("caption", "generate", "--data", data, "--split", split, "--out", out, *words)
    return out


def calibrated(sets: Sequence[Path], data: Path, out: Path) -> dict[str, Any]:
    """Fit a calibration to sets of the training split."""
    words = ("--truth", data, "--split", "train", "--out", out, "--target-precision", TARGET)
    said = run("caption", "calibrate", *sets, *words)
    return {key: value for key, value in said.items() if key != "out"}  # a path of this machine


def merged(sets: Sequence[Path], data: Path, out: Path, *words: object) -> Path:
    """Make captions of the answers of sets."""
    run("caption", "merge", *sets, "--data", data, "--out", out, *words)
    return out


def simulated(folder: Path, data: Path, scale: float, seed: int) -> tuple[list[Path], dict[str, Any]]:
    """Return the caption sets of simulated models, in the order of the rows, and the calibrations."""
    said = {
        (model, split): answered(
            folder / f"answers-{model}-{split}",
            data,
            split,
            *("--backend", "simulated", "--model", model, "--noise-scale", scale, "--seed", seed),
        )
        for model in (FIRST, SECOND)
        for split in ("train", "test")
    }
    one, both = [said[FIRST, "test"]], [said[FIRST, "test"], said[SECOND, "test"]]
    fits = {
        "one": calibrated([said[FIRST, "train"]], data, folder / "one.json"),
        "two": calibrated([said[FIRST, "train"], said[SECOND, "train"]], data, folder / "two.json"),
    }
    places = [folder / name.replace(" ", "-").replace(",", "") for name in SIMULATED]
    merged(one, data, places[0], "--method", "plain")
    merged(one, data, places[1], "--method", "confident")
    merged(one, data, places[2])
    merged(one, data, places[3], "--calibration", folder / "one.json")
    merged(both, data, places[4], "--calibration", folder / "two.json")
    return places, fits


def zero_shot(folder: Path, data: Path, device: str) -> tuple[list[Path], dict[str, Any]]:
    """Return the caption sets of the `clip` backend, in the order of the rows, and its calibration."""
    train, test = (
        answered(folder / f"answers-clip-{split}", data, split, "--backend", "clip", "--device", device)
        for split in ("train", "test")
    )
    fit = calibrated([train], data, folder / "clip.json")
    places = [folder / name.replace(" ", "-").replace(",", "") for name in CLIP]
    merged([test], data, places[0], "--method", "plain")
    merged([test], data, places[1])
    merged([test], data, places[2], "--calibration", folder / "clip.json")
    return places, {"one": fit}


def audited(names: Sequence[str], places: Sequence[Path], data: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of each row."""
    document = run("caption", "audit", *places, "--rule", "strict", "--truth", data, "--out", out)
    return {name: figures(document[place.name]) for name, place in zip(names, places, strict=True)}


def figures(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what is recorded of one set."""
    truth = entry["truth"]
    return {
        "unknown": entry["unknown"],
        "overall": truth["overall"],
        "observations_covered": truth["observations_covered"],
        "compared": truth["compared"],
        "ece": truth["ece"],
        "by_modality": truth["by_modality"],
    }


HEADER = ("row", "unknown", "right", "balanced", "filled", "whole", "kept before", "after", "new", "right")


def line(name: str, found: dict[str, Any]) -> str:
    """Return one row of the printed table, percent."""
    overall, beside = found["overall"], found["compared"] or {}
    shares = [
        found["unknown"]["overall"] / 100,
        *(overall[key] for key in ("accuracy", "balanced", "covered", "whole_balanced")),
        beside.get("before_balanced"),
        beside.get("kept_balanced"),
        beside.get("new"),
        beside.get("new_balanced"),
    ]
    cells = ["-" if x is None else str(x) if isinstance(x, int) else f"{100 * x:.1f}" for x in shares]
    return f"  {name:26s}" + "".join(f"{cell:>12s}" for cell in cells)


def main() -> None:
    """Render, describe, merge, audit and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=Path, help="keep the worlds here, and use them again")
    parser.add_argument("--sets", type=Path, help="keep the caption sets here")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KIND_SIZE), default=sorted(KIND_SIZE))
    parser.add_argument("--noise", type=float, nargs="+", default=[1.0, 0.5, 2.0])
    parser.add_argument("--no-clip", action="store_true", help="leave the clip backend out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "captions.json")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "command": "python benchmarks/captions.py",
        "rule": "strict",
        "target_precision": TARGET,
        "seed": options.seed,
        "worlds": {},
        "rows": [],
        "calibrations": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        worlds = options.worlds or Path(temporary) / "worlds"
        sets = options.sets or Path(temporary) / "sets"
        for kind in options.kinds:
            data = worlds / f"{kind}-{SEED}"
            report["worlds"][kind] = world(data, kind)
            parts: list[tuple[float | None, Sequence[str], tuple[list[Path], dict[str, Any]]]] = []
            for scale in options.noise:
                folder = sets / kind / f"noise-{scale:g}"
                parts.append((scale, SIMULATED, simulated(folder, data, scale, options.seed)))
            if not options.no_clip:
                parts.append((None, CLIP, zero_shot(sets / kind / "clip", data, options.device)))
            for noise, names, (places, fits) in parts:
                print(f"{kind}, " + ("builtin:clip-small" if noise is None else f"noise x {noise:g}"))
                print(f"  {HEADER[0]:26s}" + "".join(f"{name:>12s}" for name in HEADER[1:]))
                out = places[0].parent / "audit"
                for name, found in audited(names, places, data, out).items():
                    print(line(name, found), flush=True)
                    report["rows"].append({"kind": kind, "noise": noise, "row": name, **found})
                report["calibrations"].append({"kind": kind, "noise": noise, **fits})
    report |= {"hardware": hardware(options.device), "versions": versions()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
