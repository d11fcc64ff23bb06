"""How long it takes until the shipped backbone, or a small model around it, answers: fresh processes.

    python benchmarks/load_time.py [--backbone builtin:clip-small] [--repeats 5]

Each repeat is a new process that imports torch (`import_torch`) and then, counted from there (`total`),
imports what is needed (`imports`), loads the weights (`load`) and encodes one image and one sentence
(`answer`). `clip` is `load_clip`; `model` is `NextReID.from_pretrained` of a NEXT model folder around the
same backbone. Wall seconds, and processor seconds beside them: on a machine that does other work
(`load_before` tells) only the latter mean much. Written to benchmarks/results/load_time.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

SIZE = (192, 96)


class Watch:
    """Wall and processor seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.begin = self.last = (time.perf_counter(), time.process_time())

    def lap(self, name: str, *, since_begin: bool = False) -> None:
        """Note what passed since the last lap, or since the watch was made."""
        now, before = (time.perf_counter(), time.process_time()), self.begin if since_begin else self.last
        self.laps[name] = now[0] - before[0]
        self.laps[f"{name}_processor"] = now[1] - before[1]
        self.last = now


def measure(what: str, source: str) -> dict[str, float]:
    """Do it once, in this process, which must have imported nothing yet."""
    start = Watch()
    import torch

    start.lap("import_torch")
    watch = Watch()
    (_clip if what == "clip" else _model)(source, watch, torch.zeros)
    watch.lap("total", since_begin=True)
    return start.laps | watch.laps


def _clip(source: str, watch: Watch, zeros: Callable[..., object]) -> None:
    import transformers

    import nextreid

    _ = transformers.CLIPModel, nextreid.ImageTextReader
    watch.lap("imports")
    clip = nextreid.load_clip(source)
    watch.lap("load")
    reader = nextreid.ImageTextReader.from_clip(clip, size=SIZE, device="cpu")
    reader.pixels(zeros(1, 3, *SIZE), "rgb")
    reader.sentences(["a woman in a red jacket"])
    watch.lap("answer")


def _model(source: str, watch: Watch, _: Callable[..., object]) -> None:
    import numpy as np
    import transformers

    import nextreid

    _ = transformers.CLIPModel, nextreid.NextReID
    watch.lap("imports")
    model = nextreid.NextReID.from_pretrained(source, device="cpu")
    watch.lap("load")
    model.embed([nextreid.Observation(rgb=np.zeros((*SIZE, 3), np.uint8))])
    model.embed_words(["a woman in a red jacket"])
    watch.lap("answer")


def make_model(backbone: str, folder: Path) -> Path:
    """Write a NEXT model around a backbone, its new parts random."""
    from nextreid.attributes.schema import load_schema
    from nextreid.model.architecture import Architecture, build_model
    from nextreid.model.backbone import load_clip
    from nextreid.model.pretrained import Pretrained, save_model

    schema = load_schema("person").to_dict()
    architecture = Architecture(modalities=("rgb", "nir", "tir"), schema=schema, size=SIZE)
    clip = load_clip(backbone)
    model = build_model(architecture, clip).eval()
    return save_model(Pretrained(model, architecture, clip.origin, {}), folder)


def repeated(what: str, source: str, repeats: int) -> dict[str, dict[str, float]]:
    """Measure in fresh processes; median and largest of each figure."""
    words = [sys.executable, __file__, "--measure", what, "--source", source]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {
            "median": round(statistics.median(run[name] for run in runs), 3),
            "max": round(max(run[name] for run in runs), 3),
        }
        for name in runs[0]
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="builtin:clip-small")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "load_time.json")
    parser.add_argument("--measure", choices=("clip", "model"), help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.source)))
        return
    from nextreid.evaluation.results.provenance import hardware, versions

    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(options.backbone, Path(folder) / "model")
        repeated("clip", options.backbone, 1)  # what the disk's cache holds is part of the machine's state
        seconds = {
            "clip": repeated("clip", options.backbone, options.repeats),
            "model": repeated("model", str(model), options.repeats),
        }
    report = {
        "command": "python benchmarks/load_time.py " + " ".join(sys.argv[1:]),
        "repeats": options.repeats,
        "seconds": seconds,
        "load_before": round(before, 2),
        "hardware": hardware("cpu"),
        "versions": versions(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
