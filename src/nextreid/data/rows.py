"""A data set in memory: one row per observation."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nextreid.errors import InputError
from nextreid.observation import Box, Observation, Sentence

SPLITS = ("train", "test")

FACTS = ("identity", "kind", "camera", "scene", "time", "view", "lookalike")
"""Optional columns that say something about an observation."""

RESERVED = ("observation", *FACTS, "split", "is_query", "is_gallery", "layout")
"""All columns of a manifest that are neither modalities, boxes, nor the user's own."""


@dataclass(frozen=True)
class Row:
    """One observation of a data set.

    Attributes:
        index: the row's number in the file: the line in a CSV (the header is line 1), counted from 1
            in a Parquet file or a benchmark folder.
        source: name of the file or folder, for messages.
        observation: its id, unique in the data set.
        paths: modality -> absolute path, for the present modalities only.
        boxes: modality -> box in pixels, where one is given.
        identity, kind, camera, scene, time, view, lookalike: what is known, or None.
        split: `train` or `test`.
        is_query, is_gallery: its part in evaluation.
        extra: the user's own columns.
    """

    index: int
    source: str
    observation: str
    paths: Mapping[str, Path]
    boxes: Mapping[str, Box] = field(default_factory=dict)
    identity: str | None = None
    kind: str | None = None
    camera: str | None = None
    scene: str | None = None
    time: str | None = None
    view: str | None = None
    lookalike: str | None = None
    split: str = "test"
    is_query: bool = True
    is_gallery: bool = True
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the row stands, for messages: `row 12 of manifest.csv`."""
        return f"row {self.index} of {self.source}"

    def where(self, modality: str) -> str:
        """Where an image is named, for messages: `row 12 of manifest.csv, modality tir`."""
        return f"{self.place}, modality {modality}"

    def to_observation(self, captions: Sequence[Sentence] = ()) -> Observation:
        """Return the observation, with paths for images."""
        return Observation(
            id=self.observation,
            images=dict(self.paths),
            boxes=dict(self.boxes),
            identity=self.identity,
            kind=self.kind,
            camera=self.camera,
            scene=self.scene,
            time=self.time,
            view=self.view,
            captions=tuple(captions),
        )


@dataclass(frozen=True)
class Manifest:
    """A data set: rows in the order of the file.

    Attributes:
        name: what to call it.
        source: the file or folder it was read from.
        root: the folder that relative paths start at.
        modalities: names of the modalities that any row has, in column order.
        rows: the observations.
        sha256: of the file's bytes, or of the sorted list of a benchmark folder's image files; parts
            of a data set keep it, since it names what was read.
        layout: name of the benchmark layout, with its variant (`regdb@3`), that it was read as or
            imported from; or None.
        notes: what reading a benchmark's folder left out, and why.
    """

    name: str
    source: Path
    root: Path
    modalities: tuple[str, ...]
    rows: tuple[Row, ...]
    sha256: str
    layout: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def split(self, name: str) -> "Manifest":
        """Return the rows of one split.

        Raises:
            InputError: a split that does not exist.
        """
        if name not in SPLITS:
            raise InputError(f"{name!r} is not a split", allowed=", ".join(SPLITS))
        return self.keep(row for row in self.rows if row.split == name)

    def select(self, chosen: Collection[str] | Sequence[bool]) -> "Manifest":
        """Return some rows, in the manifest's order.

        Args:
            chosen: observation ids, or one truth value per row.

        Raises:
            InputError: an id the manifest does not have, or a mask of another length.
        """
        if all(isinstance(item, str) for item in chosen):
            wanted = set(map(str, chosen))
            strangers = sorted(wanted - {row.observation for row in self.rows})
            if strangers:
                shown = ", ".join(strangers[:5]) + (" ..." if len(strangers) > 5 else "")
                raise InputError(f"{self.source} does not list {len(strangers)} observations: {shown}")
            return self.keep(row for row in self.rows if row.observation in wanted)
        if len(chosen) != len(self.rows):
            raise InputError(f"A mask of {len(chosen)} values for {len(self.rows)} rows")
        return self.keep(row for row, wanted_row in zip(self.rows, chosen, strict=True) if wanted_row)

    def keep(self, rows: Iterable[Row]) -> "Manifest":
        """Return the same data set with other rows."""
        return replace(self, rows=tuple(rows))

    @property
    def identities(self) -> tuple[str, ...]:
        """All identities, sorted."""
        return tuple(sorted({row.identity for row in self.rows if row.identity is not None}))

    @property
    def cameras(self) -> tuple[str, ...]:
        """All cameras, sorted."""
        return tuple(sorted({row.camera for row in self.rows if row.camera is not None}))

    @property
    def missing_columns(self) -> tuple[str, ...]:
        """The optional columns that no row fills."""
        return tuple(name for name in FACTS if all(getattr(row, name) is None for row in self.rows))
