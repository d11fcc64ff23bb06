"""A protocol applied to rows: which gallery entries match a query, and which are removed for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nextreid.data.manifest import Row

if TYPE_CHECKING:
    from nextreid.evaluation.protocol import Protocol


@dataclass(frozen=True, eq=False)
class Matching:
    """A protocol applied: for each query, which gallery entries match, and which are removed.

    Attributes:
        protocol: the rule.
        query: (Q,) ids. gallery: (G,) ids, in the order that settles ties.
    """

    protocol: "Protocol"
    query: np.ndarray
    gallery: np.ndarray
    _identity: "Groups" = field(repr=False)
    _removal: "Groups" = field(repr=False)
    _observation: "Groups" = field(repr=False)

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

    def identities(self, entries: np.ndarray) -> np.ndarray:
        """Return a number for the identity of each of some gallery entries; unknown ones have their own."""
        return self._identity.gallery[entries]

    def alike(self) -> np.ndarray:
        """Return (Q,) int: queries with one number have the same matches and removed entries."""
        both = np.stack([self._identity.query, self._removal.query], axis=1)
        return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)

    def loses_all(self, query: int) -> bool:
        """Tell whether the rule removed every match; the query's own entry never counts as one."""
        same = self._identity.members(query)
        others = same[self._observation.gallery[same] != self._observation.query[query]]
        return len(others) > 0 and len(self.positives(query)) == 0


@dataclass(frozen=True, eq=False)
class Groups:
    """Queries and gallery entries numbered by their values in some columns.

    A query's values are all filled (the protocol checks), so an empty cell of a distractor equals none.
    Rows without any value have a number each.

    Attributes:
        query: (Q,) int64. gallery: (G,) int64: the numbers.
        order: (G,) int64, gallery entries by number. bounds: (numbers + 1,) where each begins in it.
    """

    query: np.ndarray
    gallery: np.ndarray
    order: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, columns: Sequence[str], queries: Sequence[Row], gallery: Sequence[Row]) -> "Groups":
        """Number the rows by their values in these columns."""
        codes: dict[tuple[str | int | None, ...], int] = {}
        nothing = (None,) * len(columns)

        def code(row: Row, at: int) -> int:
            values = tuple(getattr(row, column) for column in columns)
            return codes.setdefault((at,) if values == nothing else values, len(codes))

        of_query = np.array([code(row, at) for at, row in enumerate(queries)], dtype=np.int64)
        of_gallery = np.array(
            [code(row, len(queries) + at) for at, row in enumerate(gallery)], dtype=np.int64
        )
        order = np.argsort(of_gallery, kind="stable")
        bounds = np.searchsorted(of_gallery[order], np.arange(len(codes) + 1))
        return cls(query=of_query, gallery=of_gallery, order=order, bounds=bounds)

    def members(self, query: int) -> np.ndarray:
        """Return the gallery entries with the query's number: indices, ascending."""
        code = self.query[query]
        return self.order[self.bounds[code] : self.bounds[code + 1]]
