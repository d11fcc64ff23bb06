"""Embeddings of observations: checked in memory, saved as npz or safetensors, loaded with checks.

File format: `observation` (n) text, `embedding` (n, D) float32, `embedding/<rgb+nir>` (n, D') for
subsets of the modalities, and, where known, `branch/<name>` = [start, stop) columns of `embedding`.
npz never holds pickles; in safetensors the ids are a JSON list in the metadata key `observation`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from nextreid.atomic import written_whole
from nextreid.embedding.archives import read_npz, read_safetensors, renaming, shapes_in
from nextreid.errors import InputError
from nextreid.modality import modality_tuple

SUFFIXES = (".npz", ".safetensors")
_SUBSET, _BRANCH = "embedding/", "branch/"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One vector per observation, and optionally one per observation and subset of its modalities.

    Attributes:
        observation: (n,) text, the ids; each once.
        vectors: (n, D) float32, finite, no row all zero.
        subsets: "rgb+nir" -> (n, D') float32: the vectors with only these modalities shown. An
            all-zero row stands for an observation that has none of them.
        branches: branch name -> its columns of `vectors`; empty where not known.
        source: what messages call it, e.g. the file's path.

    Raises:
        InputError: shapes that disagree, other than real numbers, NaN, infinity or all-zero rows
            (named by observation), an id given twice, a subset's or branch's name or extent wrong.
    """

    observation: np.ndarray
    vectors: np.ndarray
    subsets: Mapping[str, np.ndarray] = field(default_factory=dict)
    branches: Mapping[str, slice] = field(default_factory=dict)
    source: str = "embeddings"

    def __post_init__(self) -> None:
        """Check and convert."""
        ids = _checked_ids(self.observation, self.source)
        vectors = _checked_matrix(self.vectors, ids, f"{self.source}: `embedding`")
        zero = ~vectors.any(axis=1)
        if zero.any():
            raise InputError(
                f"{self.source}: the embedding of {_some(ids[zero])} is all zeros, which has no direction",
                allowed="vectors with at least one number other than 0",
                do="embed these observations again, or leave them out",
            )
        subsets: dict[str, np.ndarray] = {}
        seen: dict[frozenset[str], str] = {}
        for name, matrix in self.subsets.items():
            names = frozenset(modality_tuple(name.split("+")))
            if names in seen:
                raise InputError(f"{self.source}: subsets {seen[names]!r} and {name!r} are the same")
            seen[names] = name
            subsets[name] = _checked_matrix(matrix, ids, f"{self.source}: `{_SUBSET}{name}`")
        for name, columns in self.branches.items():
            start, stop = columns.start, columns.stop
            if columns.step is not None or not 0 <= (start or 0) < (stop or 0) <= vectors.shape[1]:
                raise InputError(
                    f"{self.source}: branch {name!r} spans columns {start} to {stop}",
                    allowed=f"a range within 0 to {vectors.shape[1]}",
                )
        object.__setattr__(self, "observation", _read_only(ids))
        object.__setattr__(self, "vectors", _read_only(vectors))
        object.__setattr__(self, "subsets", MappingProxyType({k: _read_only(v) for k, v in subsets.items()}))
        object.__setattr__(self, "branches", MappingProxyType(dict(self.branches)))

    def __len__(self) -> int:
        """Count the observations."""
        return len(self.observation)

    def __repr__(self) -> str:
        """Say how many and how wide, not every number."""
        subsets = f", subsets {', '.join(self.subsets)}" if self.subsets else ""
        return f"Embeddings({len(self)} x {self.vectors.shape[1]}{subsets}, from {self.source})"

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each id, (len(ids),) int.

        Raises:
            InputError: ids without an embedding, some of them named.
        """
        place = {name: row for row, name in enumerate(self.observation.tolist())}
        missing = [name for name in ids if name not in place]
        if missing:
            raise InputError(
                f"{self.source} has no embedding for {_some(missing)} ({len(missing)} of {len(ids)})",
                do="embed the data set again, or take these observations out of the manifest",
            )
        return np.array([place[name] for name in ids], dtype=np.int64)

    def subset(self, modalities: Iterable[str]) -> np.ndarray:
        """Return the vectors that show only these modalities, whatever their order in the name.

        Raises:
            InputError: the file has no such subset.
        """
        names = tuple(modalities)
        wanted = frozenset(names)
        for name, matrix in self.subsets.items():
            if frozenset(name.split("+")) == wanted:
                return matrix
        raise InputError(
            f"{self.source} has no embeddings of {'+'.join(sorted(wanted))} alone",
            allowed=", ".join(self.subsets) or "none: it holds only the full set",
            do=f"embed with --modalities each-subset, or add the array `{_SUBSET}{'+'.join(names)}`: a row "
            "for each observation, zeros for one that has none of them",
        )

    def branch(self, name: str) -> "Embeddings":
        """Return one branch of the vectors alone, without subsets.

        Raises:
            InputError: no such branch, or an observation whose columns there are all zeros.
        """
        if name not in self.branches:
            raise InputError(
                f"{self.source} has no branch {name!r}",
                allowed=", ".join(self.branches) or "none is recorded",
            )
        columns = self.vectors[:, self.branches[name]]
        return Embeddings(self.observation, columns, source=f"{self.source}, branch {name}")

    def save(self, path: Path | str) -> Path:
        """Write to `path` (.npz or .safetensors); the file appears whole or not at all.

        Raises:
            InputError: another suffix.
        """
        path = _checked_suffix(Path(path))
        tensors = {"embedding": self.vectors}
        tensors.update({_SUBSET + name: matrix for name, matrix in self.subsets.items()})
        for name, columns in self.branches.items():
            tensors[_BRANCH + name] = np.array([columns.start or 0, columns.stop], dtype=np.int64)
        with written_whole(path) as temporary:
            if path.suffix == ".npz":
                arrays: dict[str, Any] = {"observation": self.observation, **tensors}
                np.savez(temporary, **arrays)
            else:
                names = json.dumps(self.observation.tolist(), ensure_ascii=False)
                save_file(tensors, temporary, metadata={"observation": names})
        return path


def load_embeddings(path: Path | str) -> Embeddings:
    """Read embeddings that `Embeddings.save`, or anybody's `numpy.savez`, wrote.

    Half and double precision are converted to float32; ids may be text, bytes or whole numbers.
    Arrays with other names than the format's are left alone.

    Raises:
        InputError: no file, another suffix, a damaged file, pickled arrays, a missing array, or
            what `Embeddings` refuses.
    """
    path = _checked_suffix(Path(path))
    if not path.is_file():
        raise InputError(f"There is no embeddings file {path}", do="write it with `nextreid embed`")
    arrays = read_npz(path, _wanted) if path.suffix == ".npz" else read_safetensors(path)
    for name in ("observation", "embedding"):
        if name not in arrays:
            held = shapes_in(path) if path.suffix == ".npz" else {k: v.shape for k, v in arrays.items()}
            shown = ", ".join(f"`{key}` {shape}" for key, shape in sorted(held.items()))
            raise InputError(
                f"{path} has no array `{name}`; it has {shown or 'none'}",
                allowed="`observation` (n ids) and `embedding` (n, D)",
                do=renaming(held),
            )
    branches = {}
    for name, array in arrays.items():
        if name.startswith(_BRANCH):
            if array.shape != (2,) or array.dtype.kind not in "iu":
                raise InputError(f"{path}: `{name}` is not two column numbers", allowed="[start, stop]")
            branches[name[len(_BRANCH) :]] = slice(int(array[0]), int(array[1]))
    return Embeddings(
        observation=arrays["observation"],
        vectors=arrays["embedding"],
        subsets={k[len(_SUBSET) :]: v for k, v in arrays.items() if k.startswith(_SUBSET)},
        branches=branches,
        source=str(path),
    )


def _wanted(name: str) -> bool:
    return name in ("observation", "embedding") or name.startswith((_SUBSET, _BRANCH))


def _checked_suffix(path: Path) -> Path:
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path} is not a name for an embeddings file", allowed=" or ".join(SUFFIXES))
    return path


def _checked_ids(observation: Any, source: str) -> np.ndarray:
    ids = np.asarray(observation)
    if ids.ndim != 1 or not len(ids):
        raise InputError(f"{source}: `observation` has the shape {ids.shape}", allowed="(n,) with n > 0")
    if ids.dtype.kind == "S":
        try:
            ids = np.char.decode(ids, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{source}: an id in `observation` is not UTF-8: {error}") from error
    elif ids.dtype.kind in "iu" or (
        ids.dtype.kind in "OT" and all(isinstance(name, str) for name in ids.tolist())
    ):
        ids = ids.astype(np.str_)
    elif ids.dtype.kind != "U":
        raise InputError(
            f"{source}: `observation` has the type {ids.dtype}", allowed="text, bytes or whole numbers"
        )
    names, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise InputError(f"{source}: {_some(names[counts > 1])} occurs more than once in `observation`")
    if names[0] == "":
        raise InputError(f"{source}: an id in `observation` is empty")
    return ids


def _checked_matrix(matrix: Any, ids: np.ndarray, what: str) -> np.ndarray:
    array = np.asarray(matrix)
    if array.ndim != 2 or array.shape[0] != len(ids) or not array.shape[1]:
        raise InputError(
            f"{what} has the shape {array.shape}", allowed=f"({len(ids)}, D): one row for each observation"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"{what} has the type {array.dtype}",
            allowed="real numbers, best float32",
            do="make one array of them, e.g. numpy.stack(vectors).astype('float32')"
            if array.dtype == object
            else None,
        )
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, dtype=np.float32)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise InputError(
            f"{what} holds NaN or infinity (in float32) for {_some(ids[bad])} ({int(bad.sum())} rows)",
            do="embed these observations again; training may have diverged",
        )
    return array


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _some(names: Iterable[str], most: int = 5) -> str:
    listed = [str(name) for name in names]
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(repr(name) for name in listed[:most]) + rest
