"""Rendering speed of the synthetic world: triplets a second, every file written.

    python benchmarks/rendering.py [--identities 24] [--workers 2] [--out benchmarks/results/rendering.json]

Each kind is written once to a temporary folder at 256x128 (128x256 for vehicles) with masks, captions,
occluders and tables; the time is the whole call, the start of the worker processes included. Wall time
means little on a machine that does other work (`load_before` tells); processor time stands beside it.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
from pathlib import Path

from nextreid.synthetic.plan import DEFAULT_SIZE
from nextreid.synthetic.world import write_world
from nextreid.version import __version__


def processor() -> str:
    """Name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def cpu_seconds() -> float:
    """Processor time of this process and its finished children."""
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip


def measure(kind: str, identities: int, workers: int) -> dict[str, object]:
    """Write one world and time it."""
    with tempfile.TemporaryDirectory() as folder:
        before, work = os.getloadavg()[0], cpu_seconds()
        summary = write_world(
            Path(folder) / "world", kind=kind, identities=identities, cameras=4, per_camera=4, workers=workers
        )
        work = cpu_seconds() - work
        size = sum(path.stat().st_size for path in (Path(folder) / "world").rglob("*") if path.is_file())
    return {
        "kind": kind,
        "size": list(DEFAULT_SIZE[kind]),
        "triplets": summary.observations,
        "seconds": round(summary.seconds, 2),
        "triplets_per_second": round(summary.observations / summary.seconds, 1),
        "cpu_ms_per_triplet": round(1000 * work / summary.observations, 1),
        "bytes_per_triplet": size // summary.observations,
        "workers": workers,
        "load_before": round(before, 2),
    }


def main() -> None:
    """Measure both kinds and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "rendering.json")
    args = parser.parse_args()
    result = {
        "format": "nextreid.benchmark/1",
        "name": "rendering",
        "version": __version__,
        "hardware": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "runs": [measure(kind, args.identities, args.workers) for kind in ("person", "vehicle")],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
