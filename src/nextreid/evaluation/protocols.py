"""Protocols: named rules for what a query may not be matched with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nextreid.data.manifest import Row
from nextreid.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """A rule by which gallery entries are removed for a query, with a name and a version.

    Attributes:
        name: how the command line and result files call it.
        version: raised when the rule's outcome changes.
        summary: what it removes and why, in a paragraph.
        citation: where the rule comes from.
        removes: columns; a gallery entry equal to the query in all of them is removed.
        instead: protocols to use where a column is missing, the next best first.
        cmc: "image": every gallery entry has a rank of its own. "identity": gallery entries of one
            identity nearer than the first match count once in the ranks of the CMC curve.
    """

    name: str
    version: int
    summary: str
    citation: str
    removes: tuple[str, ...]
    instead: tuple[str, ...] = ()
    cmc: str = "image"

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that every query and every gallery entry with an identity must fill."""
        return tuple(dict.fromkeys(("identity", *(name for name in self.removes if name != "observation"))))

    def match(self, queries: Sequence[Row], gallery: Sequence[Row]) -> "Matching":
        """Apply the rule to rows of a manifest. A gallery row without identity is a distractor.

        Raises:
            InputError: no query or no gallery entry, an empty cell in a needed column, or no
                query left with a match.
        """
        if not queries or not gallery:
            raise InputError(
                f"There are {len(queries)} queries and {len(gallery)} gallery entries",
                allowed="at least one of each",
                do="set is_query and is_gallery of the test rows in the manifest",
            )
        self._check_cells(queries, gallery)
        matching = Matching(
            protocol=self,
            query=np.array([row.observation for row in queries], dtype=np.str_),
            gallery=np.array([row.observation for row in gallery], dtype=np.str_),
            _identity=_Groups.of(("identity",), queries, gallery),
            _removal=_Groups.of(self.removes, queries, gallery),
            _observation=_Groups.of(("observation",), queries, gallery),
        )
        if not any(len(matching.positives(query)) for query in range(len(queries))):
            raise self._nothing_left(matching, queries)
        return matching

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
            for name in self.instead
            if all(getattr(row, column) is not None for column in PROTOCOLS[name].needs for row in queries)
        ]

    def _nothing_left(self, matching: "Matching", queries: Sequence[Row]) -> InputError:
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


@dataclass(frozen=True, eq=False)
class Matching:
    """A protocol applied: for each query, which gallery entries match, and which are removed.

    Attributes:
        protocol: the rule.
        query: (Q,) ids. gallery: (G,) ids, in the order that settles ties.
    """

    protocol: Protocol
    query: np.ndarray
    gallery: np.ndarray
    _identity: "_Groups" = field(repr=False)
    _removal: "_Groups" = field(repr=False)
    _observation: "_Groups" = field(repr=False)

    def removed(self, query: int) -> np.ndarray:
        """Return the gallery entries that the rule removes for a query: indices, ascending."""
        return self._removal.members(query)

    def kept(self, query: int) -> np.ndarray:
        """Return (G,) bool: which gallery entries the query is compared with."""
        mask = np.ones(len(self.gallery), dtype=bool)
        mask[self.removed(query)] = False
        return mask

    def positives(self, query: int) -> np.ndarray:
        """Return the kept gallery entries of the query's identity: indices, ascending."""
        same = self._identity.members(query)
        return same[self._removal.gallery[same] != self._removal.query[query]]

    def same_identity(self, query: int, entries: np.ndarray) -> np.ndarray:
        """Return bool for each of some gallery entries (indices): is it of the query's identity."""
        return self._identity.gallery[entries] == self._identity.query[query]

    def loses_all(self, query: int) -> bool:
        """Tell whether the rule removed every match; the query's own entry never counts as one."""
        same = self._identity.members(query)
        others = same[self._observation.gallery[same] != self._observation.query[query]]
        return len(others) > 0 and len(self.positives(query)) == 0


@dataclass(frozen=True, eq=False)
class _Groups:
    """Queries and gallery entries numbered by their values in some columns.

    A query's values are all filled (the protocol checks), so an empty cell of a distractor equals none.
    """

    query: np.ndarray
    gallery: np.ndarray
    order: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, columns: Sequence[str], queries: Sequence[Row], gallery: Sequence[Row]) -> "_Groups":
        codes: dict[tuple[str | None, ...], int] = {}

        def code(row: Row) -> int:
            return codes.setdefault(tuple(getattr(row, column) for column in columns), len(codes))

        of_query = np.array([code(row) for row in queries], dtype=np.int64)
        of_gallery = np.array([code(row) for row in gallery], dtype=np.int64)
        order = np.argsort(of_gallery, kind="stable")
        bounds = np.searchsorted(of_gallery[order], np.arange(len(codes) + 1))
        return cls(query=of_query, gallery=of_gallery, order=order, bounds=bounds)

    def members(self, query: int) -> np.ndarray:
        code = self.query[query]
        return self.order[self.bounds[code] : self.bounds[code + 1]]


_CROSS_CAMERA = Protocol(
    name="cross-camera",
    version=1,
    summary="Removes gallery entries of the query's identity taken by the query's camera, the query's own "
    "entry among them, so that a match always comes from another camera. Other identities of the same "
    "camera stay. Queries without a match in another camera are not counted in the scores.",
    citation="Zheng et al., Scalable Person Re-identification: A Benchmark (Market-1501), ICCV 2015; used "
    "for RGBNT201 and RGBNT100",
    removes=("identity", "camera"),
    instead=("cross-scene", "none"),
)
_CROSS_SCENE = Protocol(
    name="cross-scene",
    version=1,
    summary="Removes gallery entries of the query's identity from the query's scene (one recording session "
    "or time span), whatever the camera or view, the query's own entry among them. Queries without a match "
    "in another scene are not counted in the scores.",
    citation="The rule of the public evaluators for MSVR310 (Zheng et al., Multi-spectral vehicle "
    "re-identification with cross-directional consistency network, Information Fusion 2023)",
    removes=("identity", "scene"),
    instead=("cross-camera", "none"),
)
_NONE = Protocol(
    name="none",
    version=1,
    summary="Removes only the query's own entry (the same observation id) where the gallery holds it. "
    "Matches by the same camera, seconds apart, stay: scores are higher than under cross-camera and the two "
    "must not be compared.",
    citation="ours: for data without camera or scene",
    removes=("observation",),
)
PROTOCOLS = {protocol.name: protocol for protocol in (_CROSS_CAMERA, _CROSS_SCENE, _NONE)}
"""All protocols by name."""


def protocol_named(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"There is no protocol {name!r}", allowed=", ".join(PROTOCOLS))
    return PROTOCOLS[name]
