"""What a pretrained CLIP knows by heart: attributes of pictures that it was trained on, and of others.

    python benchmarks/memorised.py [--worlds DIR] [--model builtin:clip-small]

Reads which worlds the weights were trained on from their pretraining.json, and finds the pictures of some in
DIR (the `--worlds` of the pretraining; what is missing is rendered, 220 kB an observation). Beside them it
renders as many worlds from the seeds of the next pretraining, which the weights have not seen. Of each, some
500 observations are asked for every attribute as `nextreid model probe` does, in daylight: accuracy balanced
over values, mean over the attributes. The gap between both is what more steps on the same pictures cannot
close. Runs of other models are kept in benchmarks/results/memorised.json.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.prompts import prompt_vectors
from nextreid.embedding.reader_source import load_reader
from nextreid.evaluation.probe.attributes import attribute_scores
from nextreid.evaluation.probe.truth import HIDDEN
from nextreid.evaluation.results.provenance import hardware, versions
from nextreid.model.builtin import PREFIX, weights_root
from nextreid.model.clip_folder import read_notes
from nextreid.pretraining.geometry import centred
from nextreid.pretraining.pack import MODALITIES, Pack
from nextreid.pretraining.worlds import pretraining_worlds, render_worlds
from nextreid.progress import Silent
from nextreid.synthetic.plan import WorldSpec

RESULTS = Path(__file__).parent / "results" / "memorised.json"
WORLDS = 4  # of each kind that are asked: ours
ASKED = 500  # observations of each of them: ours
BATCH = 64


def daylight(pack: Pack) -> NDArray[np.bool_]:
    """Return which observations were seen by day and not in dim light, (n,)."""
    codes = {a.name: (at, a.values) for at, a in enumerate(pack.schema.attributes)}
    time, times = codes["time_of_day"]
    light, lights = codes["illumination"]
    by_day = pack.values[:, 0, time] == times.index("daytime")
    return by_day & (pack.values[:, 0, light] != lights.index("dim"))


def asked(packs: Sequence[Pack], model: str) -> dict[str, float]:
    """Return the balanced accuracy by modality, mean over the attributes."""
    schema = packs[0].schema
    reader = load_reader(model, schema=schema).reader
    prompts = prompt_vectors(schema, reader.sentences)
    chosen = [np.linspace(0, len(pack) - 1, min(ASKED, len(pack))).astype(int) for pack in packs]
    found = {}
    for m, modality in enumerate(MODALITIES):
        pixels = np.concatenate([pack.pixels[rows, m] for pack, rows in zip(packs, chosen, strict=True)])
        classes = [
            reader.pixels(centred(pixels[at : at + BATCH], 1), modality).classes
            for at in range(0, len(pixels), BATCH)
        ]
        parts = []
        for pack, rows in zip(packs, chosen, strict=True):
            shown = pack.visible[rows, m] & daylight(pack)[rows, None]
            parts.append(np.where(shown, pack.values[rows, m], HIDDEN).astype(np.int16))
        scores = attribute_scores(
            schema, np.concatenate(classes), np.concatenate(parts), prompts, modality=modality, cut="daylight"
        )
        found[modality] = float(np.mean([score.balanced for score in scores]))
    return found


def some_worlds(seed: int, count: int, **sizes: int) -> list[WorldSpec]:
    """Return the first worlds of each kind of a pretraining."""
    worlds = pretraining_worlds(seed=seed, count=count, **sizes)
    return [*worlds[:WORLDS], *worlds[count : count + WORLDS]]


def main() -> None:
    """Ask about both and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="builtin:clip-small", help="a shipped name, or a CLIP folder")
    parser.add_argument("--name", help="of the run in the results; default: the model")
    parser.add_argument(
        "--worlds", type=Path, required=True, help="where rendered pictures lie, or shall lie"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    model = options.model
    folder = weights_root() / model.removeprefix(PREFIX) if model.startswith(PREFIX) else Path(model)
    notes = read_notes(folder)
    sizes = {name: notes.worlds[0][name] for name in ("identities", "cameras", "per_camera")}
    count = len(notes.worlds) // 2
    report: dict[str, Any] = {
        "trained_on": {"observations_of_a_kind": count * int(np.prod(list(sizes.values()))), **sizes},
        "steps": notes.steps,
        "images_seen": notes.images_seen,
        "weights_sha256": notes.weights_sha256,
    }
    seen = some_worlds(notes.seed, count, **sizes)
    few = {**sizes, "identities": -(-ASKED // (sizes["cameras"] * sizes["per_camera"]))}
    unseen = some_worlds(notes.seed + 1, count, **few)
    temporary = tempfile.TemporaryDirectory()
    root = options.worlds or Path(temporary.name)
    for which, worlds, place in (("seen", seen, "."), ("unseen", unseen, "unseen")):
        packs = render_worlds(worlds, root / place, workers=os.cpu_count() or 1, progress=Silent())
        report[which] = {kind: asked(found, model) for kind, found in packs.items()}
    old = json.loads(options.results.read_text()) if options.results.exists() else {"runs": {}}
    runs = old["runs"] | {options.name or model: report}
    told = {"command": "python benchmarks/memorised.py", "runs": runs}
    told |= {"hardware": hardware("cpu"), "versions": versions()}
    options.results.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
