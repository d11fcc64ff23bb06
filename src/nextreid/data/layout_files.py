"""Image files in a benchmark's folders: by name, sorted, never by the order of a listing."""

import os
from collections.abc import Iterator
from pathlib import Path

from nextreid.data.rows import Row
from nextreid.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
"""Endings that make a file an image (ours: what such data sets are stored in)."""


def images_in(folder: Path) -> dict[str, Path]:
    """Return stem -> path of the images in a folder, sorted; hidden and other files are passed over.

    A folder that does not exist holds none.

    Raises:
        InputError: two images with one stem.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for name in sorted(os.listdir(folder)):
        stem, ending = os.path.splitext(name)
        if name.startswith(".") or ending.lower() not in IMAGE_SUFFIXES:
            continue
        if stem in found:
            raise InputError(f"{folder} holds {found[stem].name} and {name}", do="remove one of them")
        found[stem] = folder / name
    return found


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name, without hidden ones; none where it does not exist."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return [folder / name for name in sorted(names)]


def read_lines(path: Path) -> list[str]:
    """Read a text file of a release.

    Raises:
        InputError: it is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text: {error}", do="copy the file again") from error


def read_numbers(path: Path) -> set[int]:
    """Read a list of identities: numbers separated by commas, spaces or lines.

    Raises:
        InputError: no number, or something else.
    """
    words = " ".join(read_lines(path)).replace(",", " ").split()
    strange = [word for word in words if not word.isdigit()]
    if strange or not words:
        raise InputError(
            f"{path} holds {strange[0]!r}" if strange else f"{path} is empty",
            allowed="identities as numbers, separated by commas",
        )
    return {int(word) for word in words}


def listing(rows: tuple[Row, ...], folder: Path, *, by_path: bool) -> str:
    """Return what a data set's hash is taken of: its image paths, sorted, one a line.

    Args:
        rows: its observations.
        folder: the benchmark's folder; paths below it are written, so that moving it changes nothing.
        by_path: the path alone decides split and role; otherwise they, and draws of galleries, follow it.
    """
    return "\n".join(sorted(_lines(rows, folder, by_path)))


def _lines(rows: tuple[Row, ...], folder: Path, by_path: bool) -> Iterator[str]:
    for row in rows:
        draws = [row.extra[name] for name in sorted(row.extra) if name.startswith("draw_")]
        role = " ".join([row.split, str(row.is_query), str(row.is_gallery), *draws])
        for path in row.paths.values():
            name = path.relative_to(folder).as_posix()
            yield name if by_path else f"{name} {role}"
