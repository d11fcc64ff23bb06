"""Where a result comes from: files by their SHA-256, versions of software, the machine."""

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from nextreid.errors import InputError
from nextreid.version import __version__

PACKAGES = ("numpy", "torch", "transformers", "lightning", "pandas", "pillow", "safetensors", "kornia")
"""Whose versions are recorded: those whose change can move a number."""


@dataclass(frozen=True)
class Source:
    """A file or folder that a result was made from.

    Attributes:
        path: as given.
        sha256: of its content, 64 hexadecimal digits.
        name: of a data set; None otherwise.
    """

    path: str
    sha256: str
    name: str | None = None

    @classmethod
    def of(cls, path: Path | str, *, name: str | None = None) -> "Source":
        """Read the content of a file or folder and hash it."""
        return cls(path=str(path), sha256=sha256_of(path), name=name)

    @classmethod
    def beside(cls, path: Path | str, results: Path | str) -> "Source":
        """Hash a file and name it relative to the folder of a results file, so that both can move.

        Where there is no way from one to the other (drives), the path stays absolute.
        """
        file, folder = Path(os.path.abspath(path)), Path(os.path.abspath(results)).parent
        try:
            name = Path(os.path.relpath(file, folder)).as_posix()
        except ValueError:
            name = file.as_posix()
        return cls(path=name, sha256=sha256_of(file))


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file, or of a folder: its files' relative names and contents, sorted.

    Raises:
        InputError: there is nothing at `path`.
    """
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}")
    whole = hashlib.sha256()
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    for name in sorted(files):
        whole.update(f"{name}\0{sha256_of(files[name])}\n".encode())
    return whole.hexdigest()


def checksum(text: str) -> str:
    """Return the SHA-256 of what a JSON text says, but for its entry `checksum`.

    Numbers count as they are written, so that a digit too small for a double counts, too; white space
    and the order of keys do not. It finds a digit that changed after the file was written. It is no
    signature: who changes a file on purpose can write a new one.

    Raises:
        InputError: the text is no JSON object.
    """
    try:
        document: Any = json.loads(text, parse_float="number {}".format, parse_int="number {}".format)
    except ValueError as error:
        raise InputError(f"This is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"This is a JSON {type(document).__name__}", allowed="an object")
    document.pop("checksum", None)
    plain = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def training_of(model: Path | str) -> dict[str, Any] | None:
    """Return how the model of RUN/model was trained: its `seed`, and the `config` without it.

    None where RUN/config.yaml is not there, or is of another run than the model (another seed).
    """
    record, config = Path(model) / "training.json", Path(model).parent / "config.yaml"
    if not record.is_file() or not config.is_file():
        return None
    try:
        noted = json.loads(record.read_text(encoding="utf-8"))
        options = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{record} or {config} cannot be read: {error}") from error
    if not isinstance(noted, dict) or not isinstance(options, dict):
        return None
    seed = options.pop("seed", None)
    return {"seed": seed, "config": options} if seed == noted.get("seed") else None


def versions() -> dict[str, str]:
    """Return the versions of nextreid, Python and the installed `PACKAGES`, importing none of them."""
    found = {"nextreid": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware(device: str = "cpu") -> dict[str, str | int | float | None]:
    """Describe the machine.

    Args:
        device: what the model ran on, as the caller names it (`cuda:0, NVIDIA H200`).

    Returns:
        device, machine, system, processor, cores (those this process may use), memory_gib (None
        where the system does not tell).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        memory = None
    return {
        "device": device,
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": cores,
        "memory_gib": memory,
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
