"""What a benchmark's layout is: a value with its facts, and a reader that turns its folder into rows.

A reader says whether a folder has the layout, and reads it. There is one for each *form* of folder, not
for each benchmark: a tree of splits and modalities (`layout_tree.py`), index files (`layout_lists.py`),
SYSU-MM01's cameras (`layout_sysu.py`), any folder per identity (`layout_folder.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from nextreid.data.rows import Row
from nextreid.errors import InputError

LIKE = 0.6
"""Likeness from which a name is offered as the nearest one (difflib's own default)."""


@dataclass(frozen=True)
class Reading:
    """What came of reading a benchmark's folder.

    Attributes:
        rows: in sorted order of split (train first) and observation.
        notes: what was left out or passed over, and why: one sentence each.
        by_path: the images' paths alone say which split and role each has.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    by_path: bool = False


class Reader(Protocol):
    """How folders of one form are read."""

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""

    def begins(self, folder: Path) -> bool:
        """Tell whether a folder has this layout, or begins to have it."""

    def read(self, folder: Path, layout: "Layout", variant: str) -> Reading:
        """Read a folder.

        Args:
            folder: the benchmark's folder, absolute.
            layout: the layout it is read as.
            variant: one of the layout's variants, or "".

        Raises:
            InputError: folders or files missing (expected against found), or names that break the rule.
        """


@dataclass(frozen=True)
class Layout:
    """A benchmark: how it lies on disk, what it is, and by which rule it is scored.

    Attributes:
        name: what `--layout` calls it; a variant follows an `@`.
        title: what its authors call it.
        summary: the folders, for messages.
        names: a file's name, for messages, and after a colon what its parts say.
        about: what it holds and what to know before using it, a paragraph.
        kind: kind of object, or None.
        modalities: those it has, in the order of columns.
        protocols: the evaluation protocols that go with it; the first is the default.
        citation: where it comes from, and where these facts do.
        reader: how its folder is read.
        counts: what the whole release holds (`train`, `train identities`, `test`, `test identities`,
            `queries`, `gallery`), as far as it is known for certain.
        variants: variant -> what it does differently.
        overlaps: what it shares with other benchmarks: one warning each.
        captions: folder of the published captions.
    """

    name: str
    title: str
    summary: str
    names: str
    about: str
    kind: str | None
    modalities: tuple[str, ...]
    protocols: tuple[str, ...]
    citation: str
    reader: Reader
    counts: Mapping[str, int] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    overlaps: tuple[str, ...] = ()
    captions: str = "text"

    @property
    def protocol(self) -> str:
        """The protocol it is scored by unless another is named."""
        return self.protocols[0]


def nearest(wanted: str, found: Iterable[str]) -> str | None:
    """Return the name nearest to one that was wanted, upper and lower case alike; None if none is near."""
    by_lower = {name.lower(): name for name in sorted(found)}
    near = get_close_matches(wanted.lower(), by_lower, n=1, cutoff=LIKE)
    return by_lower[near[0]] if near else None


def not_whole(
    folder: Path, layout: Layout, *, missing: Iterable[str], found: Iterable[str], own: Iterable[str]
) -> InputError:
    """Return the error for a tree that is not whole: what was expected, what was found, what is near.

    Args:
        folder: the benchmark's folder.
        layout: what it was read as.
        missing: what is not there, as paths below the folder.
        found: what is there, as shown to the user; nothing: the folder's entries are shown.
        own: names that the layout itself has, which nothing else is a slip of.
    """
    missing, held = list(missing), sorted(entry.name for entry in folder.iterdir())
    shown = list(found) or held
    text = ", ".join(missing[:12]) + (f" and {len(missing) - 12} more" if len(missing) > 12 else "")
    names = ", ".join(shown[:12]) + (" ..." if len(shown) > 12 else "") or "nothing"
    return InputError(
        f"{folder} is not a whole {layout.name} tree: no images in {text}; found {names}",
        allowed=f"{layout.summary} (names as in the release, upper and lower case matter); files like "
        f"{layout.names}",
        do=_mend(folder, missing, set(own)),
    )


def _mend(folder: Path, missing: Iterable[str], own: set[str]) -> str:
    """Name, for the first missing part that has one, the entry that looks like it."""
    for path in missing:
        above = folder
        for part in Path(path).parts:
            if (above / part).is_dir():
                above = above / part
                continue
            held = [entry.name for entry in above.iterdir()] if above.is_dir() else []
            near = nearest(part, (name for name in held if name not in own))
            if near is not None:
                return f"rename {(above / near).relative_to(folder).as_posix()} to {part}, if that is meant"
            break
    return "copy the missing folders, or write a manifest for the part you have"
