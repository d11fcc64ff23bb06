"""Make `tiny_world` importable by the tests of this folder and their subprocesses."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
