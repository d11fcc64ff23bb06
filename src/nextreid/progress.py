"""A small protocol for progress: rooms report, whoever called them decides whether to draw it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One bar."""

    def advance(self, steps: int = 1) -> None:
        """Move on by `steps`."""

    def note(self, text: str) -> None:
        """Show a short text behind the bar (a loss, a count)."""


class Progress(Protocol):
    """Whatever draws bars."""

    def task(self, title: str, total: int | None) -> AbstractContextManager[Task]:
        """Open a bar; `total` None when the length is not known."""


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        """Draw nothing."""

    def note(self, text: str) -> None:
        """Draw nothing."""


class Silent:
    """Draws nothing; the default everywhere outside the command line."""

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Task]:
        """Open a bar that is not drawn."""
        yield _SilentTask()
