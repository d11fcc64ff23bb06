"""Whether a result can be written, asked before the work that leads to it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from nextreid.errors import InputError


def check_out(path: Path, *, suffixes: Sequence[str], option: str = "--out") -> None:
    """Check the file that an option names; nothing is left behind.

    Raises:
        InputError: another suffix, a folder of that name, or a place where nothing can be written.
    """
    if path.suffix not in suffixes:
        raise InputError(f"option {option}: {path}", allowed=f"a file ending in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"option {option}: {path} is a folder", allowed="a file")
    above = next((folder for folder in path.absolute().parents if folder.exists()), Path.cwd())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise InputError(
            f"option {option}: nothing can be written in {above} ({error.strerror})",
            allowed="a file in a folder that you may write to",
        ) from error
