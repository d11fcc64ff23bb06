"""What every folder of weights shares: its file names, its hash, and that it appears whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from nextreid.errors import InputError

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@contextmanager
def written_folder(folder: str | Path) -> Iterator[Path]:
    """Give an empty folder to write into; on success it takes the place of `folder`, else it is removed.

    Args:
        folder: where the files shall stand: new, empty, or a folder of weights, which is replaced as a whole
            and only when the new one is complete.

    Yields:
        The folder to write to: a hidden one beside the other.

    Raises:
        InputError: `folder` is a file, or holds something else than weights.
    """
    folder = Path(folder)
    _check_place(folder)
    fresh, old = (folder.with_name(f".{folder.name}.{ending}") for ending in ("writing", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _check_place(folder: Path) -> None:
    allowed = "a new name, an empty folder, or a folder of weights to replace"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", allowed=allowed, do="name another folder")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if found and not {CONFIG, WEIGHTS} <= set(found):
        raise InputError(
            f"{folder} holds other files: {', '.join(found[:5])}", allowed=allowed, do="name another folder"
        )


def write_weights(state: Mapping[str, Tensor], folder: Path) -> None:
    """Write `model.safetensors` of tensors by name; whoever may read the folder may read the file."""
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    path = folder / WEIGHTS
    path.touch()
    mode = path.stat().st_mode  # as the user's mask wants it; safetensors would keep others out
    save_file(plain, path, metadata={"format": "pt"})
    path.chmod(mode)


def read_weights(model: Any, folder: Path) -> None:
    """Read `model.safetensors` into a model; every name and shape must fit.

    Raises:
        InputError: no such file, a damaged one, or weights of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        model.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, OSError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).strip().splitlines()]
        raise InputError(
            f"{path} cannot be loaded: {' '.join(lines[:2])}",  # torch names the first weight in the second
            allowed=f"the weights that {CONFIG} beside it describes",
            do="copy the folder again, or train anew",
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        InputError: not such a file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not valid JSON: {error}", do="copy the folder again") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds a {type(values).__name__}", allowed="a JSON object")
    return values


def weights_sha256(folder: str | Path) -> str:
    """Return the SHA-256 of a folder's weights."""
    with (Path(folder) / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
