"""Reading RegDB and LLCM: images named by index files, one observation per image.

An index line is `<path below the folder> <number>`. The number only says which images belong together within
one file (the public code trains on it as a class); where the images lie in one folder per identity, the
folder's name is the identity, so that train and test cannot be confused.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nextreid.data.layout import Layout, Reading, nearest, not_whole
from nextreid.data.layout_files import folders_in, images_in, read_lines, read_numbers
from nextreid.data.rows import Row
from nextreid.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One line of an index file.

    Attributes:
        path: the image, below the data set's folder, with forward slashes.
        number: its class.
    """

    path: str
    number: str


@dataclass(frozen=True)
class TrialLists:
    """RegDB's form: four index files for each trial; see `Reader`.

    Attributes:
        words: modality -> its word in the index files' names.
        cameras: modality -> the one camera that took it.
    """

    words: Mapping[str, str]
    cameras: Mapping[str, str]

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""
        return ("idx", *(word.capitalize() for word in self.words.values()))

    def begins(self, folder: Path) -> bool:
        """Tell whether there is an index file of any trial."""
        return any(any((folder / "idx").glob(f"*_{word}_*.txt")) for word in self.words.values())

    def read(self, folder: Path, layout: Layout, variant: str) -> Reading:
        """Read one trial, the first unless the variant says which; see `Reader`."""
        trial = variant or "1"
        rows: list[Row] = []
        for split in ("train", "test"):
            entries = {
                modality: read_index(folder, f"idx/{split}_{word}_{trial}.txt", layout)
                for modality, word in self.words.items()
            }
            rows += index_rows(folder, layout, split, entries, cameras=self.cameras)
        return Reading(rows=tuple(rows))


@dataclass(frozen=True)
class ListAndFolders:
    """LLCM's form: index files for training, folders of cameras for testing; see `Reader`.

    Attributes:
        words: modality -> its word in index files and test folders.
        cameras: modality -> how many of the test folder's cameras the release has, by name.
    """

    words: Mapping[str, str]
    cameras: Mapping[str, tuple[str, ...]]

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of the folders that it expects at the top."""
        return ("idx", *(f"test_{word}" for word in self.words.values()))

    def begins(self, folder: Path) -> bool:
        """Tell whether there is a test folder or a training index."""
        return any(
            (folder / f"test_{word}").is_dir() or (folder / "idx" / f"train_{word}.txt").is_file()
            for word in self.words.values()
        )

    def read(self, folder: Path, layout: Layout, variant: str) -> Reading:
        """Read the tree; see `Reader`."""
        held = {word: folders_in(folder / f"test_{word}") for word in self.words.values()}
        empty = [f"test_{word}" for word, cameras in held.items() if not cameras]
        if empty:
            shown = [f"test_{word} ({len(cameras)} cameras)" for word, cameras in held.items() if cameras]
            raise not_whole(folder, layout, missing=empty, found=shown, own=[f"test_{word}" for word in held])
        entries = {
            modality: read_index(folder, f"idx/train_{word}.txt", layout)
            for modality, word in self.words.items()
        }
        rows = index_rows(folder, layout, "train", entries)
        wanted = _identities(folder, layout)
        tested = [
            row
            for modality, word in self.words.items()
            for row in self._test_rows(folder, layout, modality, held[word], wanted)
        ]
        lost = sorted(wanted - {int(row.identity or 0) for row in tested})
        if lost:
            raise InputError(
                f"{folder}: {len(lost)} of {len(wanted)} identities of idx/test_id.txt have no image in "
                f"{' or '.join(f'test_{word}' for word in self.words.values())}: "
                + ", ".join(f"{number:04d}" for number in lost[:5]),
                allowed=layout.summary,
                do="copy the missing folders",
            )
        gone = [
            f"test_{word}/{name}"
            for modality, word in self.words.items()
            for name in self.cameras[modality]
            if name not in {camera.name for camera in held[word]}
        ]
        notes = [f"folders that the release has are not there: {', '.join(gone)}"] if gone else []
        return Reading(rows=(*rows, *tested), notes=tuple(notes))

    def _test_rows(
        self, folder: Path, layout: Layout, modality: str, cameras: Iterable[Path], wanted: set[int]
    ) -> Iterator[Row]:
        for camera in cameras:
            for person in folders_in(camera):
                if not person.name.isdigit() or int(person.name) not in wanted:
                    continue
                for path in images_in(person).values():
                    name = path.relative_to(folder).as_posix()
                    yield _row(layout, "test", modality, name, path, person.name, camera_of(name))


def read_index(folder: Path, name: str, layout: Layout) -> list[Entry]:
    """Read an index file; every image it names must be there.

    Args:
        folder: the data set's folder.
        name: the file, below it.
        layout: for messages.

    Raises:
        InputError: no such file, a line of another form, or images that are not there.
    """
    file = folder / name
    if not file.is_file():
        held = sorted(one.name for one in file.parent.glob("*.txt")) if file.parent.is_dir() else []
        near = nearest(file.name, held)
        raise InputError(
            f"{folder} lacks {name}; {file.parent.name} holds {', '.join(held[:12]) or 'nothing'}"
            + (f"; the nearest is {near}" if near else ""),
            allowed=layout.summary,
            do="copy the folder of index files",
        )
    entries: list[Entry] = []
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"(?P<path>.+?)\s+(?P<number>\d+)", line.strip())
        if match is None:
            raise InputError(f"{file}, line {number}: {line!r}", allowed="<path below the folder> <number>")
        entries.append(Entry(match["path"].replace("\\", "/").removeprefix("./"), match["number"]))
    _check_there(folder, file, entries)
    return entries


def _check_there(folder: Path, file: Path, entries: Iterable[Entry]) -> None:
    entries = list(entries)
    above = {_above(entry) for entry in entries}
    held = {name: {path.name for path in images_in(folder / name).values()} for name in above}
    lost = [entry.path for entry in entries if PurePosixPath(entry.path).name not in held[_above(entry)]]
    if not entries or lost:
        around = sorted(entry.name for entry in folder.iterdir())
        first = PurePosixPath(lost[0]).parts[0] if lost else ""
        near = nearest(first, around) if lost and not (folder / first).exists() else None
        raise InputError(
            f"{file} names {len(entries)} images, {len(lost)} of them are not there"
            + (f": {', '.join(lost[:3])}; {folder} holds {', '.join(around[:12])}" if lost else ""),
            allowed="every image of the list, below the data set's folder",
            do=f"rename {near} to {first}, if that is meant" if near else "copy the missing images",
        )


def _above(entry: Entry) -> str:
    return PurePosixPath(entry.path).parent.as_posix()


def index_rows(
    folder: Path,
    layout: Layout,
    split: str,
    entries: Mapping[str, list[Entry]],
    cameras: Mapping[str, str] | None = None,
) -> list[Row]:
    """Return the rows of one split's index files, sorted by modality and path.

    Args:
        folder: the data set's folder.
        layout: the benchmark.
        split: `train` or `test`.
        entries: modality -> its index file.
        cameras: modality -> camera; None: the path says it, where it does.
    """
    named = _one_to_one(entry for lines in entries.values() for entry in lines)
    rows: list[Row] = []
    for modality, lines in entries.items():
        for entry in sorted(lines, key=lambda line: line.path):
            identity = PurePosixPath(entry.path).parent.name if named else f"{split}_{entry.number}"
            camera = cameras[modality] if cameras is not None else camera_of(entry.path)
            rows.append(_row(layout, split, modality, entry.path, folder / entry.path, identity, camera))
    return rows


def _one_to_one(entries: Iterable[Entry]) -> bool:
    """Tell whether each class lies in folders of one name, and each name holds one class."""
    names: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        name = PurePosixPath(entry.path).parent.name
        names[entry.number].add(name)
        numbers[name].add(entry.number)
    return all(len(held) == 1 for held in (*names.values(), *numbers.values()))


def camera_of(path: str) -> str | None:
    """Return the camera that a path names: a folder `cam3`, or `_c03_` in the file's name."""
    match = re.search(r"(?:^|/)cam(\d+)/", path) or re.search(r"_c(\d+)[^/\d][^/]*$", path)
    return str(int(match[1])) if match else None


def _row(
    layout: Layout, split: str, modality: str, name: str, path: Path, identity: str, camera: str | None
) -> Row:
    return Row(
        index=0,
        source="",
        observation=str(PurePosixPath(name).with_suffix("")),
        paths={modality: path},
        identity=identity,
        kind=layout.kind,
        camera=camera,
        split=split,
        is_query=split == "test",
        is_gallery=split == "test",
    )


def _identities(folder: Path, layout: Layout) -> set[int]:
    """Read `idx/test_id.txt`: numbers separated by commas."""
    file = folder / "idx" / "test_id.txt"
    if not file.is_file():
        raise InputError(f"{folder} lacks idx/test_id.txt", allowed=layout.summary, do="copy the folder idx")
    return read_numbers(file)
