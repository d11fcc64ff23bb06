"""By which rule the answers of a caption set become captions: noted in the set, and gone by again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Answer
from nextreid.captions.calibration import Calibration, read_calibration, write_calibration
from nextreid.captions.caption_set import RUN
from nextreid.captions.fusion import METHODS, Merged, Method, merge_answers
from nextreid.data.rows import Row
from nextreid.errors import InputError

CALIBRATION = "calibration.json"
"""In the caption set: a copy of the calibration that its captions were made with."""


@dataclass(frozen=True)
class Rule:
    """How answers are merged; as it stands, what `caption generate` does by itself.

    Attributes:
        method, threshold, complement_threshold, calibration, seed: as `merge_answers` takes them.
        calibrated_by: name of the file that the calibration was read from; None without one.
    """

    method: Method = "merge"
    threshold: float | None = None
    complement_threshold: float | None = None
    calibration: Calibration | None = None
    calibrated_by: str | None = None
    seed: int | None = None

    def merge(self, answers: Iterable[Answer], schema: Schema, rows: Sequence[Row]) -> Merged:
        """Return the captions that answers become."""
        return merge_answers(
            answers,
            schema,
            rows,
            method=self.method,
            threshold=self.threshold,
            complement_threshold=self.complement_threshold,
            calibration=self.calibration,
            seed=self.seed,
        )

    def notes(self) -> dict[str, Any]:
        """Return what run.yaml says of it."""
        return {
            "method": self.method,
            "threshold": self.threshold,
            "complement_threshold": self.complement_threshold,
            "calibration": self.calibrated_by,
            "vary": self.seed is not None,
            "seed": self.seed,
        }

    def words(self) -> str:
        """Return it in words, of what is not as `caption generate` does it by itself; "" for nothing."""
        own = Rule()
        parts = {
            "method": (self.method, own.method),
            "threshold": (self.threshold, None),
            "complement threshold": (self.complement_threshold, None),
            "calibration": (self.calibrated_by, None),
            "sentences varied by seed": (self.seed, None),
        }
        return ", ".join(f"{name} {value}" for name, (value, plain) in parts.items() if value != plain)

    def keep_calibration(self, folder: Path) -> None:
        """Write a copy of the calibration into a set, or take away that of an earlier rule."""
        if self.calibration is None:
            (folder / CALIBRATION).unlink(missing_ok=True)
        else:
            write_calibration(self.calibration, folder / CALIBRATION)


def read_rule(folder: str | Path, run: Mapping[str, Any]) -> Rule:
    """Return the rule that a set notes.

    Args:
        folder: the caption set.
        run: what its run.yaml says; empty for a set that is not there yet.

    Raises:
        InputError: a method that is none, or a calibration that is noted and that the set does not hold.
    """
    folder = Path(folder)
    method = run.get("method", "merge")
    if method not in METHODS:
        raise InputError(f"{folder / RUN}: the method is {method!r}", allowed=", ".join(METHODS))
    name = run.get("calibration")
    if name and not (folder / CALIBRATION).is_file():
        raise InputError(
            f"{folder} was merged with the calibration {name} and holds no copy of it ({CALIBRATION})",
            do=f"merge it again: `nextreid caption merge {folder} --data ... --calibration FILE`",
        )
    return Rule(
        method=method,
        threshold=run.get("threshold"),
        complement_threshold=run.get("complement_threshold"),
        calibration=read_calibration(folder / CALIBRATION) if name else None,
        calibrated_by=name,
        seed=run.get("seed") if run.get("vary") else None,
    )
