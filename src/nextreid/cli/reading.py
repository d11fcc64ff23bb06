"""Opening a data set for a verb: load it, and under `--on-error skip` leave out what cannot be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal

if TYPE_CHECKING:
    from nextreid.data.manifest import Manifest
    from nextreid.data.readable import Skipped

SHOWN = 20
"""Left-out images named on the terminal; `--json` names all (ours)."""


@dataclass(frozen=True)
class Opened:
    """A data set and what was left out of it.

    Attributes:
        manifest: without the images that cannot be read.
        skipped: these images.
    """

    manifest: "Manifest"
    skipped: "tuple[Skipped, ...]" = ()

    def summary(self) -> dict[str, Any]:
        """Return the entry `left_out` of a JSON result."""
        return {
            "images": len(self.skipped),
            "observations": len({entry.observation for entry in self.skipped if entry.whole}),
            "list": [
                {"observation": entry.observation, "modality": entry.modality, "reason": entry.reason}
                for entry in self.skipped
            ],
        }


def open_data(
    data: Path | str, *, layout: str | None, on_error: str, split: str | None, terminal: Terminal
) -> Opened:
    """Load a data set.

    Args:
        data: as `load_manifest` takes it.
        layout: likewise.
        on_error: "raise": a bad image is an error where it is read; "skip": each image of the split is
            read once; a bad one is left out and listed, with its observation if that has no other.
        split: the rows to look at; None: all.
        terminal: where the list goes.

    Raises:
        InputError: no data set, or nothing left of the split.
    """
    from nextreid.data.manifest import load_manifest
    from nextreid.data.readable import readable

    manifest = load_manifest(data, layout=layout)
    if on_error == "raise":
        return Opened(manifest)
    part = manifest.split(split) if split else manifest
    found = readable(part, on_error=on_error, progress=terminal.progress)
    kept = {row.observation: row for row in found.manifest.rows}
    looked_at = {row.observation for row in part.rows}
    rows = [
        kept.get(row.observation, row)
        for row in manifest.rows
        if row.observation in kept or row.observation not in looked_at
    ]
    if found.skipped:
        terminal.warn(
            f"Left out: {_count(found.images, 'unreadable image')}, and "
            f"{_count(len(found.observations), 'observation')} without any other:"
        )
        for entry in found.skipped[:SHOWN]:
            terminal.warn(f"  {entry.observation} {entry.modality}: {entry.reason}")
        if found.images > SHOWN:
            terminal.warn(f"  ... and {found.images - SHOWN} more (--json lists all)")
    return Opened(manifest.keep(rows), found.skipped)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
