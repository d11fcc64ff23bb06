"""The folders of a tree: their names, one name in two of them, and folders beside them that nobody reads."""

import filecmp
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nextreid.data.layout import nearest
from nextreid.data.layout_files import folders_in

Paths = dict[str, dict[str, Path]]
"""file name without its ending -> modality -> path."""


@dataclass(frozen=True)
class Part:
    """One of a tree's folders.

    Attributes:
        folder: its name in the release.
        split: `train` or `test`.
        query, gallery: the role of what lies in it.
        also: other names under which it is found.
        optional: it may be missing: `Tree.queries` then says which rows are queries.
    """

    folder: str
    split: str
    query: bool = False
    gallery: bool = False
    also: tuple[str, ...] = ()
    optional: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which it is found, the release's first."""
        return (self.folder, *self.also)

    def below(self, folder: Path) -> Path:
        """Return where it lies: the first of its names that is there, or the release's."""
        return next((folder / name for name in self.names if (folder / name).is_dir()), folder / self.folder)


def alike(first: Mapping[str, Path], other: Mapping[str, Path]) -> bool:
    """Tell whether two sets of images are the same, byte by byte, in every modality that both have."""
    return all(_same(first[name], other[name]) for name in first if name in other)


def _same(first: Path, other: Path) -> bool:
    """Compare two files; one that cannot be read counts as the same: whoever reads it meets the fault."""
    try:
        if first.stat().st_size != other.stat().st_size:
            return False
        return first.samefile(other) or filecmp.cmp(first, other, shallow=False)
    except OSError:
        return True


def told_apart(found: Mapping[Part, Paths]) -> tuple[dict[Part, Paths], list[str]]:
    """Rename what has a name of an earlier part of its split, but other images: `query/<name>`.

    Args:
        found: part -> its images, galleries before queries.

    Returns:
        the same with new names, and one sentence for each part that has such images.
    """
    apart: dict[Part, Paths] = {}
    notes: list[str] = []
    for part, files in found.items():
        before = [other for other in apart if other.split == part.split]
        twins = [
            stem
            for stem, paths in files.items()
            if not all(alike(apart[other][stem], paths) for other in before if stem in apart[other])
        ]
        other_names = {stem: f"{part.folder}/{stem}" for stem in twins}
        apart[part] = {other_names.get(stem, stem): paths for stem, paths in files.items()}
        if twins:
            notes.append(twins_note(len(twins), part.folder, sorted(twins)[0]))
    return apart, notes


def twins_note(number: int, folder: str, first: str) -> str:
    """Say that names of one folder lie in another one with other images."""
    return (
        f"{number} names of {folder} lie in another test folder, too, with other images: they are rows of "
        f"their own, called {folder}/<name>; first {folder}/{first}"
    )


def passed_over(
    tops: Mapping[Part, Path], own: Collection[str], *, by_identity: bool
) -> tuple[list[str], list[str]]:
    """Name folders that are not read and look as if they were meant to be.

    Args:
        tops: part -> its folder.
        own: the names of modality folders.
        by_identity: they lie in a folder per identity.

    Returns:
        folders where modalities lie that have no modality's name, with how many of them there are; and
        one sentence for each optional part that is missing beside a folder of a name like it.
    """
    strays: list[str] = []
    for top in tops.values():
        above = folders_in(top) if by_identity and own else [top] if own else []
        counts = Counter(one.name for folder in above for one in folders_in(folder) if one.name not in own)
        between = "/<identity>/" if by_identity else "/"
        strays += [f"{top.name}{between}{name} ({count})" for name, count in sorted(counts.items())]
    return strays, list(_misnamed(tops))


def _misnamed(tops: Mapping[Part, Path]) -> Iterable[str]:
    own = {name for part in tops for name in part.names}
    for part, top in tops.items():
        held = [one.name for one in folders_in(top.parent) if one.name not in own]
        near = nearest(part.folder, held) if part.optional and not top.is_dir() else None
        if near is not None:
            yield (
                f"the folder {near} is not read; its name in the release is {part.folder}. The benchmark's "
                "rule says which rows are queries"
            )
