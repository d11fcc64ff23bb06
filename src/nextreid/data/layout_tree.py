"""Reading trees of splits and modalities, where a sample is what has one file name.

Three forms: `train/RGB/<name>`, `train/<identity>/vis/<name>`, and `train/<name>` with strips that hold
the modalities side by side. Files of the modalities are paired by name; a name that one of them lacks
makes that modality absent there. (Pairing by the order of a listing, as public loaders do, shifts every
later pair where the folders differ by one file.)
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nextreid.data.layout import Layout, Reading, not_whole
from nextreid.data.layout_files import folders_in, images_in
from nextreid.data.layout_parts import Part, Paths, passed_over, told_apart
from nextreid.data.layout_strips import strip_boxes, tiles_in
from nextreid.data.rows import FACTS, Row
from nextreid.errors import InputError

CLEAN = "clean"
"""The variant that leaves out test identities which are trained on."""


@dataclass(frozen=True)
class Tree:
    """The form of a tree; see `Reader` for what it does.

    Attributes:
        parts: its folders, galleries before queries.
        folders: modality -> folder; empty for strips.
        pattern: regular expression for a file name without its ending; its named groups become
            columns, those that a manifest does not know are kept as the user's own.
        numbers: groups that are written without leading zeros.
        by_identity: the modality folders lie in a folder per identity.
        strip: modalities side by side in one file, in this order; empty: one file each.
        above: folders that the parts may lie in; "" is the tree itself.
        strays: regular expression for names that are known to break the rule; their groups count alike.
        unknown: group -> value that says nothing is known.
        junk: identities whose images belong to no set.
        nobody: identities that stand for objects without one: distractors.
        shared_names: a name may lie in both splits; the test's row is then called `test/<name>`.
        queries: which observations are queries, where no folder says it.
    """

    parts: tuple[Part, ...]
    pattern: str
    folders: Mapping[str, str] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset({"camera", "scene", "view"})
    by_identity: bool = False
    strip: tuple[str, ...] = ()
    above: tuple[str, ...] = ("",)
    strays: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    junk: frozenset[str] = frozenset()
    nobody: frozenset[str] = frozenset()
    shared_names: bool = False
    queries: Callable[[Sequence[Row]], Collection[str]] | None = None

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""
        return tuple(above or part.folder for above in self.above[:1] for part in self.parts)

    def begins(self, folder: Path) -> bool:
        """Tell whether any of the parts is there, with a folder or a name of this form in it."""
        tops = [folder / above / name for above in self.above for part in self.parts for name in part.names]
        return any(self._has_form(top) for top in tops)

    def _has_form(self, top: Path) -> bool:
        if self.by_identity:
            people = (one for one in folders_in(top) if one.name.isdigit())
            return any((one / name).is_dir() for one in people for name in self.folders.values())
        if self.strip:
            named = (path for stem, path in images_in(top).items() if re.fullmatch(self.pattern, stem))
            first = next(named, None)
            return first is not None and tiles_in(first) in (len(self.strip), None)
        return any((top / name).is_dir() for name in self.folders.values())

    def read(self, folder: Path, layout: Layout, variant: str) -> Reading:
        """Read the tree; see `Reader`."""
        listed, said = self._files(folder, layout)
        found, twins = told_apart(listed)
        notes: list[str] = []
        rows: list[Row] = []
        trained: set[str] = set()
        for split in ("train", "test"):
            merged: Paths = defaultdict(dict)
            for part, files in found.items():
                for stem, paths in files.items() if part.split == split else ():
                    for modality, path in paths.items():
                        merged[stem].setdefault(modality, path)
            new, junk = self._rows(folder, layout, split, merged, found, trained)
            if junk:
                notes.append(f"{junk} {split} images of identity {', '.join(sorted(self.junk))} (junk)")
            trained |= {row.observation for row in new} if split == "train" else set()
            rows += new
        rows = self._with_queries(rows, found)
        if variant == CLEAN:
            rows, left_out = _clean(rows)
            notes += left_out
        return Reading(
            rows=tuple(rows),
            notes=(
                *(f"left out: {note}" for note in notes),
                *(_misplaced(rows) if self.by_identity else ()),
                *twins,
                *said,
            ),
            by_path=all(part.query == part.gallery for part in self.parts) and not variant,
        )

    def _files(self, folder: Path, layout: Layout) -> tuple[dict[Part, Paths], list[str]]:
        """List every part's images, and say which folders beside them are not read.

        Raises:
            InputError: a part, or a modality of one, that holds none.
        """
        above = max(self.above, key=lambda name: sum((folder / name / p.folder).is_dir() for p in self.parts))
        tops = {part: part.below(folder / above) for part in self.parts}
        found: dict[Part, Paths] = {}
        missing: list[str] = []
        held: list[str] = []
        for part, top in tops.items():
            files: Paths = defaultdict(dict)
            for modality, stem, path in self._listed(top):
                if files[stem].setdefault(modality, path) != path:
                    raise InputError(
                        f"{files[stem][modality]} and {path} have one name", do="remove one of them"
                    )
            for modality in self.folders or self.strip[:1]:
                count = sum(modality in paths for paths in files.values())
                name = "/".join([*filter(None, [above, top.name]), *self._below(modality)])
                if count:
                    held.append(f"{name} ({count} images)")
                elif not part.optional or files:
                    missing.append(name)
            found[part] = files
        strays, said = passed_over(tops, self.folders.values(), by_identity=self.by_identity)
        if missing:
            held += [f"{stray}, not read" for stray in strays]
            own = {name for part in self.parts for name in part.names} | {
                *self.folders.values(),
                *self.above,
            }
            raise not_whole(folder, layout, missing=missing, found=held, own=own)
        if strays:
            known = ", ".join(self.folders.values())
            said.append(f"folders that are no modality ({known}) are not read: {', '.join(strays)}")
        return found, said

    def _below(self, modality: str) -> list[str]:
        if self.strip:
            return []
        return [*(["<identity>"] if self.by_identity else []), self.folders[modality]]

    def _listed(self, top: Path) -> Iterator[tuple[str, str, Path]]:
        """Yield (modality, file name without its ending, path) of a part's images, sorted by folder."""
        if self.strip:
            for stem, path in images_in(top).items():
                for modality in self.strip:
                    yield modality, stem, path
            return
        for above in folders_in(top) if self.by_identity else [top]:
            for modality, name in self.folders.items():
                for stem, path in images_in(above / name).items():
                    yield modality, stem, path

    def _rows(
        self,
        folder: Path,
        layout: Layout,
        split: str,
        files: Paths,
        found: Mapping[Part, Paths],
        trained: Collection[str],
    ) -> tuple[list[Row], int]:
        """Return a split's rows, sorted by name, and how many images belong to junk identities."""
        query, gallery = (
            {stem for part, stems in found.items() if getattr(part, role) for stem in stems}
            for role in ("query", "gallery")
        )
        rows: list[Row] = []
        junk = 0
        for stem in sorted(files):
            first = next(iter(files[stem].values()))
            values = self._parsed(stem.rpartition("/")[2], first, layout)
            if values.get("identity") in self.junk:
                junk += len(files[stem])
                continue
            if values.get("identity") in self.nobody:
                del values["identity"]
            if stem in trained and not self.shared_names:
                trains, tests = (
                    " or ".join(p.folder for p in self.parts if p.split == name) for name in ("train", "test")
                )
                raise InputError(
                    f"{folder}: {stem} lies in {trains} and in {tests}", allowed="each name in one split"
                )
            test = split == "test"
            rows.append(
                Row(
                    index=0,
                    source="",
                    observation=f"{split}/{stem}" if stem in trained else stem,
                    paths={m: files[stem][m] for m in layout.modalities if m in files[stem]},
                    boxes=strip_boxes(first, layout, self.strip) if self.strip else {},
                    kind=layout.kind,
                    split=split,
                    is_query=test and stem in query and "identity" in values,
                    is_gallery=test and stem in gallery,
                    identity=values.get("identity"),
                    camera=values.get("camera"),
                    scene=values.get("scene"),
                    view=values.get("view"),
                    extra={key: value for key, value in values.items() if key not in FACTS},
                )
            )
        return rows, junk

    def _parsed(self, stem: str, path: Path, layout: Layout) -> dict[str, str]:
        match = re.fullmatch(self.pattern, stem)
        if match is None and self.strays is not None:
            match = re.fullmatch(self.strays, stem)
        if match is None:
            raise InputError(
                f"{path}: the file name does not follow the {layout.name} rule",
                allowed=f"names like {layout.names}; any image's ending",
                do="remove or rename it",
            )
        return {
            key: str(int(value)) if key in self.numbers else value
            for key, value in match.groupdict().items()
            if value is not None and value != self.unknown.get(key)
        }

    def _with_queries(self, rows: list[Row], found: Mapping[Part, Paths]) -> list[Row]:
        """Apply the rule for queries, where no folder names any."""
        if self.queries is None or any(part.query and files for part, files in found.items()):
            return rows
        chosen = set(self.queries([row for row in rows if row.split == "test"]))
        return [
            replace(row, is_query=row.observation in chosen) if row.split == "test" else row for row in rows
        ]


def in_two_scenes(rows: Sequence[Row]) -> list[str]:
    """Return the observations of identities that occur in two scenes or more."""
    scenes: dict[str | None, set[str | None]] = defaultdict(set)
    for row in rows:
        scenes[row.identity].add(row.scene)
    return [row.observation for row in rows if row.identity is not None and len(scenes[row.identity]) > 1]


def _misplaced(rows: Sequence[Row]) -> list[str]:
    """Say which images lie in the folder of another identity than their name has; the name counts."""
    odd = [path for row in rows for path in row.paths.values() if path.parent.parent.name != row.identity]
    if not odd:
        return []
    first = "/".join(odd[0].parts[-3:])
    return [f"{len(odd)} images lie in another identity's folder; the name counts: first {first}"]


def _clean(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Leave out test rows of identities that are trained on; say which."""
    trained = {row.identity for row in rows if row.split == "train" and row.identity is not None}
    dropped = [row for row in rows if row.split == "test" and row.identity in trained]
    kept = [row for row in rows if row.split == "train" or row.identity not in trained]
    names = sorted({row.identity for row in dropped if row.identity is not None})
    if not dropped:
        return kept, []
    return kept, [
        f"{len(dropped)} test rows of {len(names)} identities that are in train: {', '.join(names)}"
    ]
