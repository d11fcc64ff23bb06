"""What a check of a data set reports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nextreid.data.rows import Row

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        severity: one of `SEVERITIES`.
        rule: short name of the rule: `unreadable-image`, `unpaired-modality` ...
        message: what was found, with row, file, identity.
        do: the next thing to do.
        rows: row numbers concerned.
        observations: their ids.
        modality: the modality concerned, or None.
        files: files concerned.
    """

    severity: str
    rule: str
    message: str
    do: str
    rows: tuple[int, ...] = ()
    observations: tuple[str, ...] = ()
    modality: str | None = None
    files: tuple[Path, ...] = ()

    @staticmethod
    def about(
        rows: Sequence[Row],
        severity: str,
        rule: str,
        message: str,
        do: str,
        *,
        modality: str | None = None,
        files: Sequence[Path] = (),
    ) -> "Finding":
        """Return a finding that concerns some rows."""
        return Finding(
            severity=severity,
            rule=rule,
            message=message,
            do=do,
            rows=tuple(row.index for row in rows),
            observations=tuple(row.observation for row in rows),
            modality=modality,
            files=tuple(files),
        )


@dataclass(frozen=True)
class SplitCounts:
    """How much there is in one split.

    Attributes:
        split: `train` or `test`.
        observations: rows.
        images: modality -> images.
        identities: different identities.
        cameras: different cameras.
        queries, gallery: rows that are one or the other.
    """

    split: str
    observations: int
    images: dict[str, int]
    identities: int
    cameras: int
    queries: int
    gallery: int


@dataclass(frozen=True)
class Report:
    """The outcome of a check.

    Attributes:
        name, source: the data set.
        protocol: the protocol that queries were checked under.
        counts: one entry per split that has rows.
        findings: errors first, then warnings, then notes.
        why: why this protocol, to follow a colon.
    """

    name: str
    source: Path
    protocol: str
    counts: tuple[SplitCounts, ...]
    findings: tuple[Finding, ...]
    why: str = "as asked"

    @property
    def ok(self) -> bool:
        """No error was found."""
        return not self.of("error")

    def of(self, severity: str) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)


def few(items: Iterable[object], shown: int = 8) -> str:
    """Write the first of some items, and how many more there are."""
    listed = [str(item) for item in items]
    return ", ".join(listed[:shown]) + (f" and {len(listed) - shown} more" if len(listed) > shown else "")
