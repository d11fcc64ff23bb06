"""Reading arrays from npz and safetensors files without running what they hold."""

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from nextreid.errors import InputError


def read_npz(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """Read those arrays of an npz whose names are wanted.

    Raises:
        InputError: no npz, a damaged one, or wanted arrays of Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names if wanted(name)}
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise InputError(f"{path} is damaged: {error}", do="write it again") from error
        raise InputError(
            f"{path} holds Python objects, which are not read because a pickle can run code",
            allowed="plain arrays: text for `observation`, numbers for `embedding`",
            do="save it again with numpy.savez(file, observation=ids.astype(str), "
            "embedding=numpy.stack(vectors).astype('float32'))",
        ) from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, NotImplementedError) as error:
        raise InputError(
            f"{path} is not a readable npz file: {error}", do="write it again; the copy may be cut short"
        ) from error


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every array of an npz, from the headers alone."""
    found: dict[str, tuple[int, ...]] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            try:
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    found[name.removesuffix(".npy")] = read(file)[0]
            except (ValueError, OSError, zipfile.BadZipFile):
                continue  # not an array
    return found


def renaming(held: Mapping[str, tuple[int, ...]]) -> str:
    """Say how to write the file, with its own names where two arrays can only be ids and vectors."""
    ids = [name for name, shape in held.items() if len(shape) == 1]
    vectors = [name for name, shape in held.items() if len(shape) == 2]
    pairs = [(one, two) for one in ids for two in vectors if held[one][0] == held[two][0] > 0]
    names = (f"old[{pairs[0][0]!r}]", f"old[{pairs[0][1]!r}]") if len(pairs) == 1 else ("ids", "vectors")
    return f"write it with numpy.savez(file, observation={names[0]}, embedding={names[1]})"


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a safetensors file, and its ids as the array `observation`.

    Raises:
        InputError: another file, or no list of ids in its metadata.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a readable safetensors file: {error}", do="write it again"
        ) from error
    if "observation" not in metadata:
        raise InputError(
            f"{path} does not name its observations", allowed="a JSON list in the metadata key `observation`"
        )
    try:
        ids = json.loads(metadata["observation"])
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: the metadata key `observation` is not JSON: {error}") from error
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise InputError(f"{path}: the metadata key `observation` is not a list of texts")
    arrays["observation"] = np.array(ids, dtype=np.str_)
    return arrays
