"""How many images a second `caption generate` asks about, against a server that answers at once.

    python benchmarks/caption_speed.py [--observations 1000] [--repeats 3]

The server speaks the OpenAI protocol in a process of its own on this machine and answers without a model, so
that what is measured is everything else: reading files, requests, parsing, the log, merging, sentences, and
writing the caption set. The data are made beforehand: three noisy images of 128 x 64 pixels an observation,
about 20 kB each. `images_per_second` counts from the first question to the last file written. Written to
benchmarks/results/caption_speed.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "captions"))

RESULTS = Path(__file__).parent / "results"

SIZE = (128, 64)

WANTED = 200.0
"""Images a second that are promised."""


def measure(data: Path, answers: Path, out: Path, concurrency: int) -> dict[str, float]:
    """Generate captions once; return seconds by stage."""
    from openai_test_server import Server

    from nextreid.attributes.schema import load_schema
    from nextreid.captions.asking import ask_all
    from nextreid.captions.backends.openai_server import OpenAIBackend
    from nextreid.captions.caption_set import ANSWERS, write_run
    from nextreid.captions.generation import notes, write_answered
    from nextreid.captions.log import AnswerLog
    from nextreid.data.manifest import load_manifest
    from nextreid.data.rows import SPLITS

    manifest, schema = load_manifest(data), load_schema("person")
    with Server(answers=str(answers)) as server:
        backend = OpenAIBackend(schema, "instant", base_url=server.url)
        run = notes({}, manifest, "openai", [backend], splits=SPLITS, modalities=manifest.modalities)
        write_run(out, schema, run)
        start, processor = time.perf_counter(), time.process_time()
        with AnswerLog(out / ANSWERS) as log:
            done = ask_all(manifest.rows, manifest.modalities, [backend], log, concurrency=concurrency)
        asked = time.perf_counter()
        found = write_answered(out, manifest, schema, run)
        end = time.perf_counter()
        requests = sum(server.counts()["requests"].values())
    images = 3 * len(manifest.rows)
    if not done.asked == requests == found.answers == images or done.failed:
        sys.exit(f"{images} images, {requests} requests, {done.failed} failed: not a measurement")
    return {
        "images": images,
        "seconds_asking": asked - start,
        "seconds_parsing_merging_writing": end - asked,
        "images_per_second": images / (end - start),
        "processor_milliseconds_per_image": 1000 * (time.process_time() - processor) / images,
        "slots": len(found.merged.table.slots),
    }


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--out", type=Path, default=RESULTS / "caption_speed.json")
    options = parser.parse_args()
    from small_data import answers_file, small_data

    from nextreid.attributes.schema import load_schema
    from nextreid.evaluation.results.provenance import hardware, versions

    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        manifest = small_data(data, options.observations, size=SIZE)
        answers = answers_file(manifest, load_schema("person"), Path(folder) / "answers.json")
        runs = [
            measure(data, answers, Path(folder) / f"captions{number}", options.concurrency)
            for number in range(options.repeats)
        ]
    report = {
        "command": " ".join(["python benchmarks/caption_speed.py", *sys.argv[1:]]),
        "images_per_second": statistics.median(run["images_per_second"] for run in runs),
        "wanted": WANTED,
        "concurrency": options.concurrency,
        "runs": runs,
        "load_before": round(before, 2),
        "hardware": hardware("cpu"),
        "versions": versions(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
