"""Files appear whole or not at all: written beside their place, then moved into it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nextreid.errors import InputError

FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system says where one may not write."""


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it replaces `path`, else it is removed.

    Folders above `path` are made. The temporary name keeps the suffix, for writers that look at it.

    Args:
        path: the file to write.

    Yields:
        The path to write to.

    Raises:
        InputError: a folder that may not be written to; the temporary name is not in the message.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        ours = temporary.name in str(error) or error.filename == str(path.parent)
        if error.errno not in FORBIDDEN or not ours:
            raise
        raise InputError(
            f"{path.name} cannot be written in {path.parent} ({os.strerror(error.errno or 0)})",
            do="make the folder writable, or name another",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
