"""One measurement in a process of its own: seconds, and the most memory it held over what it began with."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def peak_megabytes() -> float:
    """Return the most memory this process has held so far (Linux: VmHWM)."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def measured(script: str, *words: str) -> dict[str, Any]:
    """Run a script in a new process and return the JSON object in the last line that it prints."""
    done = subprocess.run([sys.executable, script, *words], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))
