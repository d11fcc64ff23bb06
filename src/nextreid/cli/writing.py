"""Whether a result can be written, asked before the work that leads to it."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nextreid.errors import InputError


def check_out(
    path: Path, *, suffixes: Sequence[str], option: str = "--out", replaces: str | None = None
) -> None:
    """Check the file that an option names; nothing is left behind.

    Args:
        path: the file.
        suffixes: what its name may end in.
        option: its name, for messages.
        replaces: the `format` of what is written, without its number. A JSON file of that name that says
            another one is kept: it may be a model's config.json, or a world's.

    Raises:
        InputError: another suffix, a folder of that name, a JSON file of something else, or a place where
            nothing can be written.
    """
    if path.suffix not in suffixes:
        raise InputError(f"option {option}: {path}", allowed=f"a file ending in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"option {option}: {path} is a folder", allowed="a file")
    kept = path.with_suffix(".json")
    if replaces and kept.is_file() and not _format(kept).startswith(f"{replaces}/"):
        raise InputError(
            f"option {option}: {kept} holds something else",
            allowed=f"a new file, or one of the format {replaces} to replace",
            do="name another file",
        )
    _check_writable(path.absolute().parent, "a file in a folder that you may write to", option)


def check_out_folder(folder: Path, *, option: str = "--out") -> None:
    """Check the folder that an option names, whether it is there or not yet; nothing is left behind.

    Raises:
        InputError: a file of that name, or a place where nothing can be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"option {option}: {folder} is a file", allowed="a folder")
    _check_writable(folder.absolute(), "a folder that you may write to", option)


def _format(path: Path) -> str:
    """Return what a JSON file says that it is; nothing where it does not, or is no JSON."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return ""
    return str(document.get("format", "")) if isinstance(document, dict) else ""


def _check_writable(folder: Path, allowed: str, option: str = "--out") -> None:
    above = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise InputError(
            f"option {option}: nothing can be written in {above} ({error.strerror})",
            allowed=allowed,
            do=f"name another with {option}, or make this one writable",
        ) from error
