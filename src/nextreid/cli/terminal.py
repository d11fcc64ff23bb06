"""Where a verb's words go: results to stdout, remarks and progress to stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nextreid.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Terminal:
    """The output of one command.

    Attributes:
        json: print one JSON object on stdout and nothing else there.
        quiet: no remarks, no progress.
        silent: nothing but failures: one of several processes that do the same work.
    """

    json: bool = False
    quiet: bool = False
    silent: bool = False

    @property
    def progress(self) -> Progress:
        """Whatever draws this command's progress."""
        if self.quiet or self.silent:
            return Silent()
        from nextreid.cli.drawing import Bars, Lines

        return Bars(self._console(error=True)) if sys.stderr.isatty() else Lines(sys.stderr)

    def remark(self, text: str) -> None:
        """Say something about the work on stderr."""
        if not self.quiet and not self.silent:
            self._console(error=True).print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say on stderr, even when quiet, what was left out or is doubtful."""
        if not self.silent:
            self._console(error=True).print(
                text, style="yellow", markup=False, highlight=False, soft_wrap=True
            )

    def text(self, text: str) -> None:
        """Print a line of the result."""
        if not self.json and not self.silent:
            self._console().print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table: the first column to the left, the others to the right."""
        if self.json or self.silent:
            return
        from rich.table import Table

        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for index, name in enumerate(columns):
            table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self._console().print(table, markup=False)

    def result(self, values: Mapping[str, Any]) -> None:
        """Print the result as JSON, if that was asked for."""
        if self.json and not self.silent:
            sys.stdout.write(json.dumps(values, indent=1, allow_nan=False, default=str) + "\n")

    def failure(self, title: str, text: str) -> None:
        """Show one red block on stderr, and the error as JSON on stdout if that was asked for."""
        if sys.stderr.isatty():
            from rich.panel import Panel
            from rich.text import Text

            self._console(error=True).print(
                Panel(Text(text), title=title, title_align="left", border_style="red")
            )
        else:  # a log file: one line that can be searched
            sys.stderr.write(f"error: {title}: {text}\n")
        self.result({"error": {"kind": title, "message": text}})

    def _console(self, *, error: bool = False) -> "Console":
        from rich.console import Console

        stream = sys.stderr if error else sys.stdout
        return Console(file=stream, width=None if stream.isatty() else 120)
