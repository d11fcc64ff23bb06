"""How sure zero-shot captions may be: temperatures for the `clip` backend, fitted and written.

    python benchmarks/clip_temperature.py [--model builtin:clip-small] [--out FILE] [--worlds DIR]

Renders one world of persons and one of vehicles (seed 7101: neither a pretraining world, nor the
quickstart's, nor one that another benchmark scores), 40 identities, 4 cameras, 3 sightings by each. On the
identities of the training split a temperature is fitted for each modality, by the likelihood of the values
that the pictures show; on the other half it is measured, beside CLIP's own temperature. To be run again
whenever the weights change: temperatures are kept by the weights' hash, and are of no use to others.
Writes the temperatures into the package (or --out, for a model of your own: `--temperature FILE` reads it),
and the figures to benchmarks/results/clip_temperature.json.
"""

import argparse
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nextreid.captions.backends.temperature as room
from nextreid.attributes.prompts import prompt_vectors
from nextreid.attributes.schema import Schema, load_schema
from nextreid.captions.backends.temperature import (
    UNFITTED,
    FittedTemperature,
    LabelledCosines,
    fit_temperature,
    likelihood,
    write_temperatures,
)
from nextreid.captions.backends.zero_shot import softmax
from nextreid.captions.reliability import reliability
from nextreid.captions.truth import Truth, read_truth
from nextreid.cli.caption_backends import image_encoder
from nextreid.cli.main import main as nextreid
from nextreid.data.manifest import Manifest, Row, load_manifest
from nextreid.embedding.reader_source import KIND_SIZE, LoadedReader, load_reader
from nextreid.evaluation.results.provenance import hardware, sha256_of, versions

RESULTS = Path(__file__).parent / "results"
SEED = 7101
PACKAGE = Path(room.__file__).parent / room.FILE
NOTE = "Written by benchmarks/clip_temperature.py; run it again when the weights change."


def world(folder: Path, kind: str, options: argparse.Namespace) -> Manifest:
    """Render a world, or find it rendered."""
    size = KIND_SIZE[kind]
    wanted = {
        "kind": kind,
        "identities": options.identities,
        "cameras": options.cameras,
        "per_camera": options.per_camera,
        "seed": SEED,
        "test_fraction": 0.5,
    }
    if not (folder / "world.json").is_file():
        words = [f"--{key.replace('_', '-')}={value}" for key, value in wanted.items()]
        with redirect_stdout(io.StringIO()):
            code = nextreid(["synth", str(folder), *words, f"--size={size[0]}x{size[1]}", "--quiet"])
        if code != 0:
            raise SystemExit(f"the world {folder} could not be written")
    spec = json.loads((folder / "world.json").read_text())["spec"]
    if {key: spec[key] for key in wanted} != wanted:
        raise SystemExit(f"{folder} holds another world; name another folder with --worlds")
    return load_manifest(folder)


def labelled(
    schema: Schema,
    vectors: NDArray[np.float32],
    rows: Sequence[Row],
    truth: Truth,
    modality: str,
    prompts: Mapping[str, NDArray[np.float32]],
) -> dict[str, LabelledCosines]:
    """Return attribute -> how like the images its values are, for the images that show one."""
    found = {}
    for attribute in schema.attributes:
        keys = [(row.observation, modality, attribute.name) for row in rows]
        shown = [place for place, key in enumerate(keys) if key in truth.visible]
        if shown:
            codes = np.array([attribute.values.index(truth.values[keys[place]]) for place in shown])
            found[attribute.name] = LabelledCosines(vectors[shown] @ prompts[attribute.name].T, codes)
    return found


def measured(parts: Mapping[str, LabelledCosines], temperature: float) -> dict[str, Any]:
    """Return likelihood, calibration error and accuracy at a temperature."""
    claims: list[tuple[float, bool]] = []
    recalls = []
    for part in parts.values():
        shares = softmax(part.cosines / temperature)
        right = shares.argmax(axis=1) == part.codes
        claims += zip(shares.max(axis=1).tolist(), right.tolist(), strict=True)
        recalls.append(np.mean([right[part.codes == code].mean() for code in np.unique(part.codes)]))
    confidence, right_ones = np.array(claims, float).T
    return {
        "temperature": round(temperature, 4),
        "nats": round(likelihood(list(parts.values()), temperature), 4),
        "ece": round(reliability(claims).ece, 4),
        "confidence": round(float(confidence.mean()), 4),
        "accuracy": round(float(right_ones.mean()), 4),
        "balanced": round(float(np.mean(recalls)), 4),
        "claims": len(claims),
    }


def fitted(
    loaded: LoadedReader, kind: str, manifest: Manifest
) -> tuple[FittedTemperature, dict[str, dict[str, Any]]]:
    """Fit one kind's temperatures on the training split, and measure them on the other."""
    schema = load_schema(kind)
    truth, encode = read_truth(manifest, schema), image_encoder(loaded)
    prompts = prompt_vectors(schema, loaded.reader.sentences)
    temperature, images, figures = {}, {}, {}
    for modality in manifest.modalities:
        halves = []
        for split in ("train", "test"):
            rows = [row for row in manifest.split(split).rows if modality in row.paths]
            halves.append(labelled(schema, encode(rows, modality), rows, truth, modality, prompts))
            images.setdefault(modality, len(rows))
        temperature[modality] = round(fit_temperature(list(halves[0].values())), 4)
        figures[modality] = {
            "fitted": measured(halves[1], temperature[modality]),
            "clip": measured(halves[1], UNFITTED),
        }
    entry = FittedTemperature(loaded.source, loaded.sha256, kind, loaded.reader.size, temperature, images)
    return entry, figures


def main() -> None:
    """Render, fit, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="builtin:clip-small")
    parser.add_argument("--worlds", type=Path, help="keep the worlds here, and use them again")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KIND_SIZE), default=sorted(KIND_SIZE))
    parser.add_argument("--identities", type=int, default=40)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--per-camera", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=PACKAGE)
    parser.add_argument("--results", type=Path, default=RESULTS / "clip_temperature.json")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "command": f"python benchmarks/clip_temperature.py --model {options.model}",
        "model": options.model,
        "seed": SEED,
        "kinds": {},
    }
    entries = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.worlds or Path(temporary)
        for kind in options.kinds:
            manifest = world(folder / f"{kind}-{SEED}", kind, options)
            loaded = load_reader(options.model, schema=load_schema(kind), device=options.device)
            entry, figures = fitted(loaded, kind, manifest)
            entries.append(entry)
            report["weights_sha256"] = loaded.sha256
            report["kinds"][kind] = {
                "truth_sha256": sha256_of(manifest.root / "truth.parquet"),
                "size": list(loaded.reader.size),
                "images": dict(entry.images),
                "measured": figures,
            }
            report |= {"hardware": hardware(str(loaded.reader.device)), "versions": versions()}
            for modality, found in figures.items():
                own, clip = found["fitted"], found["clip"]
                print(
                    f"{kind} {modality}: temperature {own['temperature']} (CLIP {clip['temperature']}); "
                    f"calibration error {own['ece']:.1%} ({clip['ece']:.1%}); "
                    f"{own['nats']} nats ({clip['nats']}); "
                    f"accuracy {own['accuracy']:.1%}, balanced {own['balanced']:.1%}"
                )
    print(write_temperatures(options.out, entries, note=NOTE))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(report, indent=1) + "\n")
    print(options.results)


if __name__ == "__main__":
    main()
