"""A protocol: who asks, among what is searched, what is taken away, and how ranks are counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextreid.data.manifest import Row
from nextreid.errors import InputError
from nextreid.evaluation.draws import PermutationDraws, SeededDraws
from nextreid.evaluation.matching import Groups, Matching


@dataclass(frozen=True, eq=False)
class Trial:
    """One gallery of a protocol, and the protocol applied to it.

    Attributes:
        name: of the draw, e.g. `1` or `seed 0`; "" where the protocol has one gallery only.
        queries, gallery: (Q,) and (G,) int64, the rows taking part, as places among those given.
        matching: for these queries and gallery entries, in this order.
    """

    name: str
    queries: np.ndarray
    gallery: np.ndarray
    matching: Matching


@dataclass(frozen=True)
class Protocol:
    """A rule of evaluation with a name and a version.

    Attributes:
        name: how the command line and result files call it.
        version: raised when the rule's outcome changes.
        summary: what it does and why, in a paragraph.
        citation: where the rule comes from.
        removes: columns; a gallery entry equal to the query in all of them is removed.
        instead: (protocol, column it needs) to use where a column is missing, the next best first.
        cmc: "image": every gallery entry has a rank of its own. "identity": gallery entries of one
            identity nearer than the first match count once in the ranks of the CMC curve.
        queries, gallery: the modality whose observations, of one image each, are queries and gallery
            entries; None: all that the manifest says are.
        gallery_scenes: the values of `scene` that gallery entries may have; (): any.
        draws: how galleries are drawn from the gallery entries; None: all of them are the gallery.
    """

    name: str
    version: int
    summary: str
    citation: str
    removes: tuple[str, ...]
    instead: tuple[tuple[str, str], ...] = ()
    cmc: str = "image"
    queries: str | None = None
    gallery: str | None = None
    gallery_scenes: tuple[str, ...] = ()
    draws: PermutationDraws | SeededDraws | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that every query and every gallery entry with an identity must fill."""
        needed = ["identity", *(name for name in self.removes if name != "observation")]
        needed += ["scene"] if self.gallery_scenes else []
        needed += ["camera"] if self.draws else []
        return tuple(dict.fromkeys(needed))

    def document(self) -> dict[str, Any]:
        """Return everything the protocol says, as plain JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "citation": self.citation,
            "needs": list(self.needs),
            "removes": list(self.removes),
            "queries": self.queries,
            "gallery": self.gallery,
            "gallery_scenes": list(self.gallery_scenes),
            "cmc": self.cmc,
            "trials": self.draws.trials if self.draws else 1,
            "draws": self.draws.summary if self.draws else None,
        }

    def candidates(self, queries: Sequence[Row], gallery: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        """Return the rows that can take part: of the protocol's modalities and scenes, undrawn.

        Raises:
            InputError: a side is empty; `apply` says why.
        """
        some = [row for row in queries if self.queries is None or self.queries in row.paths]
        found = [
            row
            for row in gallery
            if (self.gallery is None or self.gallery in row.paths)
            and (not self.gallery_scenes or row.scene in self.gallery_scenes)
        ]
        if not some or not found:
            self.apply(queries, gallery)
        return some, found

    def apply(self, queries: Sequence[Row], gallery: Sequence[Row]) -> tuple[Trial, ...]:
        """Choose the rows that take part, draw the galleries, and apply the rule to each.

        Args:
            queries, gallery: rows of a manifest, in the order of their vectors; those that the protocol
                has no use for, such as other modalities, are passed over.

        Raises:
            InputError: no query or gallery entry that takes part, an empty cell in a needed column, a
                draw that the data do not have, or no query left with a match.
        """
        asking = self._taking_part(queries, self.queries, "queries")
        searched = self._taking_part(gallery, self.gallery, "gallery entries")
        self._check_some(len(asking), len(searched))
        of_query, of_gallery = [queries[at] for at in asking], [gallery[at] for at in searched]
        self._check_cells(of_query, of_gallery)
        if self.gallery_scenes:
            searched = np.array(
                [at for at in searched if gallery[at].scene in self.gallery_scenes], dtype=np.int64
            )
            if not len(searched):
                found = ", ".join(sorted({str(row.scene) for row in of_gallery})[:8])
                raise InputError(
                    f"Protocol {self.name}: no gallery entry has one of its scenes; theirs are {found}",
                    allowed=f"`scene` {' or '.join(self.gallery_scenes)}",
                )
            of_gallery = [gallery[at] for at in searched]
        if self.draws is None:
            return (Trial("", asking, searched, self.match(of_query, of_gallery)),)
        return tuple(
            Trial(
                draw.name,
                asking,
                searched[draw.chosen],
                self.match(of_query, [of_gallery[at] for at in draw.chosen]),
            )
            for draw in self.draws.draw(of_gallery)
        )

    def match(self, queries: Sequence[Row], gallery: Sequence[Row]) -> Matching:
        """Apply the rule of removal to exactly these rows. A gallery row without identity is a distractor.

        Raises:
            InputError: no query or no gallery entry, an empty cell in a needed column, or no
                query left with a match.
        """
        self._check_some(len(queries), len(gallery))
        self._check_cells(queries, gallery)
        matching = Matching(
            protocol=self,
            query=np.array([row.observation for row in queries], dtype=np.str_),
            gallery=np.array([row.observation for row in gallery], dtype=np.str_),
            _identity=Groups.of(("identity",), queries, gallery),
            _removal=Groups.of(self.removes, queries, gallery),
            _observation=Groups.of(("observation",), queries, gallery),
        )
        if not any(len(matching.positives(query)) for query in range(len(queries))):
            raise self._nothing_left(matching, queries)
        return matching

    def _taking_part(self, rows: Sequence[Row], modality: str | None, what: str) -> np.ndarray:
        """Return the places of the rows that have the modality, which must then be their only one."""
        if modality is None or not rows:
            return np.arange(len(rows))
        several = next((row for row in rows if modality in row.paths and len(row.paths) > 1), None)
        if several is not None:
            raise InputError(
                f"Protocol {self.name} compares images of one modality with images of another, but "
                f"{several.observation!r} ({several.place}) has {', '.join(several.paths)} together",
                allowed="observations of one image each",
                do="write one row for each image, or compare subsets of modalities with "
                "`--scenario any-to-any`",
            )
        found = np.flatnonzero([modality in row.paths for row in rows])
        if not len(found):
            others = ", ".join(sorted({name for row in rows for name in row.paths}))
            raise InputError(
                f"Protocol {self.name} takes {what} that have `{modality}`: none of {len(rows)} has; they "
                f"have {others}",
                do="check the protocol's direction (`--protocol list`) and the columns `is_query` and "
                "`is_gallery`",
            )
        return found

    def _check_some(self, queries: int, gallery: int) -> None:
        if not queries or not gallery:
            raise InputError(
                f"There are {queries} queries and {gallery} gallery entries",
                allowed="at least one of each",
                do="set is_query and is_gallery of the test rows in the manifest",
            )

    def _check_cells(self, queries: Sequence[Row], gallery: Sequence[Row]) -> None:
        judged = {row.observation: row for row in (*queries, *(g for g in gallery if g.identity is not None))}
        for column in self.needs:
            empty = [row for row in judged.values() if getattr(row, column) is None]
            if not empty:
                continue
            if len(empty) == len(judged):
                what = (
                    f"Protocol {self.name} needs the column `{column}`, which is missing or empty everywhere"
                )
            else:
                first = ", ".join(f"{row.observation!r} ({row.place})" for row in empty[:3])
                what = (
                    f"Protocol {self.name} needs `{column}`, which is empty in {len(empty)} of "
                    f"{len(judged)} rows: {first}{' ...' if len(empty) > 3 else ''}"
                )
            fill = f"fill the column `{column}`"
            if column == "identity":
                raise InputError(what, do=f"{fill}, or set is_query to false where it is not known")
            ways = [f"use `--protocol {name}`" for name in self._usable_instead(queries)]
            raise InputError(what, do="; or ".join([*ways, fill]))

    def _usable_instead(self, queries: Sequence[Row]) -> list[str]:
        return [
            name
            for name, column in self.instead
            if all(row.identity is not None and getattr(row, column) is not None for row in queries)
        ]

    def _nothing_left(self, matching: Matching, queries: Sequence[Row]) -> InputError:
        total = len(queries)
        lost = sum(matching.loses_all(query) for query in range(total))
        if not lost:
            return InputError(
                f"None of the {total} queries has a match: no other gallery entry shares the identity of one",
                do="check the columns `identity` and `is_gallery`: an identity must occur at least twice",
            )
        rule = " and ".join(f"`{column}`" for column in self.removes)
        ways = [f"use `--protocol {name}`" for name in self._usable_instead(queries)]
        ways += [
            f"check the column `{column}`: an identity needs two values of it or more"
            for column in self.removes
            if column not in ("identity", "observation")
        ]
        return InputError(
            f"Protocol {self.name} leaves no query with a match: for {lost} of {total} queries every match "
            f"has the same {rule} as the query and is removed; the other {total - lost} have no other "
            "gallery entry of their identity",
            do="; or ".join(ways),
        )
