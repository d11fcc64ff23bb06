"""The errors of nextreid: each says what was given, what is allowed, and what to do next."""


class NextReidError(Exception):
    """Any error that nextreid raises on purpose.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 2


class InputError(NextReidError):
    """A file, row, option or argument that cannot be used (exit code 2).

    Args:
        given: what was given, with the file, row or option that holds it.
        allowed: what would have been accepted.
        do: the next thing to do.
    """

    def __init__(self, given: str, *, allowed: str | None = None, do: str | None = None) -> None:
        parts = [_ended(given)]
        if allowed:
            parts.append(f"Allowed: {_ended(allowed)}")
        if do:
            parts.append(f"What to do: {_ended(do)}")
        super().__init__(" ".join(parts))


def _ended(text: str) -> str:
    """End a sentence with one full stop; a list that is cut off keeps its three dots."""
    return text if text.endswith("...") else text.rstrip(".") + "."


class ImageError(InputError):
    """An image that cannot be read (missing, truncated, empty, a decompression bomb ...)."""


class CheckFailedError(NextReidError):
    """A check ran to its end and found faults (exit code 1)."""

    exit_code = 1


class MissingExtraError(NextReidError):
    """An optional package is not installed (exit code 3)."""

    exit_code = 3
