"""A split's queries and gallery, shown with any subset of the modalities: embedded once, scored often."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation, evaluate_rows, query_and_gallery
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioInputs

Names = tuple[str, ...]


def modalities_of(manifest: Manifest, *, split: str = "test") -> Names:
    """Return the modalities of a split's queries and gallery, of which some can be left out.

    Raises:
        NotPossibleError: one modality only, or observations of one image each.
    """
    rows = [row for row in manifest.rows if row.split == split and (row.is_query or row.is_gallery)]
    present = {name for row in rows for name in row.paths}
    modalities = tuple(name for name in manifest.modalities if name in present)
    if len(modalities) < 2:
        raise NotPossibleError(
            f"{manifest.source} has only {', '.join(modalities) or 'nothing'} in its {split} split",
            allowed="two modalities or more, to leave some of them out",
        )
    if all(len(row.paths) < 2 for row in rows):
        raise NotPossibleError(
            f"Every observation of {manifest.source} in its {split} split is a single image",
            allowed="observations of two modalities or more, to leave some of them out",
        )
    return modalities


def check(inputs: ScenarioInputs) -> None:
    """Refuse, before anything is embedded, data of which nothing can be left out.

    Raises:
        NotPossibleError: as `modalities_of`.
    """
    modalities_of(inputs.manifest, split=inputs.split)


@dataclass(frozen=True, eq=False)
class Subsets:
    """Queries, gallery and their vectors; S = 2^M - 1 subsets of M modalities.

    Attributes:
        modalities: of the split, in the manifest's order.
        queries, gallery: rows, in the manifest's order.
        at_query, at_gallery: (Q,) and (G,) int, their rows in the embeddings.
        embeddings: with every proper subset; the full set is `embedding` itself.
    """

    modalities: Names
    queries: tuple[Row, ...]
    gallery: tuple[Row, ...]
    at_query: np.ndarray
    at_gallery: np.ndarray
    embeddings: Embeddings

    @classmethod
    def of(cls, embeddings: Embeddings, manifest: Manifest, *, split: str = "test") -> "Subsets":
        """Check that everything is there.

        Raises:
            NotPossibleError: one modality only, observations of one image each, or a subset without
                embeddings.
            InputError: a subset's all-zero rows are not exactly the observations that have none of its
                modalities, or its vectors have another width.
        """
        queries, gallery = query_and_gallery(embeddings, manifest, split=split)
        rows = {row.observation: row for row in (*queries, *gallery)}
        found = cls(
            modalities=modalities_of(manifest, split=split),
            queries=tuple(queries),
            gallery=tuple(gallery),
            at_query=embeddings.rows([row.observation for row in queries]),
            at_gallery=embeddings.rows([row.observation for row in gallery]),
            embeddings=embeddings,
        )
        for shown in found.every[1:]:
            found._check(shown, list(rows.values()))
        return found

    @property
    def every(self) -> tuple[Names, ...]:
        """All S non-empty subsets, the full set first; names in the manifest's order."""
        M = len(self.modalities)
        return tuple(s for size in range(M, 0, -1) for s in combinations(self.modalities, size))

    def vectors(self, shown: Sequence[str]) -> np.ndarray:
        """Return the vectors of all embeddings with a subset shown, (n,D)."""
        if set(shown) == set(self.modalities):
            return self.embeddings.vectors
        return self.embeddings.subset(shown)

    def queries_with(self, shown: Sequence[str]) -> np.ndarray:
        """Return (Q,) bool: which queries have any of these modalities."""
        return np.array([not row.paths.keys().isdisjoint(shown) for row in self.queries], dtype=bool)

    def gallery_with(self, shown: Sequence[str]) -> np.ndarray:
        """Return (G,) bool: which gallery entries have any of these modalities."""
        return np.array([not row.paths.keys().isdisjoint(shown) for row in self.gallery], dtype=bool)

    def left_out(self, some_queries: np.ndarray, some_gallery: np.ndarray) -> int:
        """Count the observations that take part on neither side."""
        part = {row.observation for row, here in zip(self.queries, some_queries, strict=True) if here}
        part |= {row.observation for row, here in zip(self.gallery, some_gallery, strict=True) if here}
        return len({row.observation for row in (*self.queries, *self.gallery)} - part)

    def score(
        self,
        query_vectors: np.ndarray,
        gallery_vectors: np.ndarray,
        *,
        like: Evaluation,
        some_queries: np.ndarray | None = None,
        some_gallery: np.ndarray | None = None,
        bootstrap: int | None = None,
    ) -> Evaluation:
        """Score vectors of the embeddings' rows, as another evaluation was scored.

        Args:
            query_vectors, gallery_vectors: (n,D), a row for every embedding.
            like: whose protocol, metric, seed and bootstrap are used.
            some_queries, some_gallery: (Q,) and (G,) bool, which take part; None: all.
            bootstrap: resamples, where they should be other than `like` has.

        Raises:
            InputError: the protocol leaves no query with a match.
        """
        q = np.ones(len(self.queries), bool) if some_queries is None else some_queries
        g = np.ones(len(self.gallery), bool) if some_gallery is None else some_gallery
        return evaluate_rows(
            query_vectors[self.at_query[q]],
            gallery_vectors[self.at_gallery[g]],
            [row for row, here in zip(self.queries, q, strict=True) if here],
            [row for row, here in zip(self.gallery, g, strict=True) if here],
            protocol=like.protocol,
            metric=like.metric,
            bootstrap=like.bootstrap if bootstrap is None else bootstrap,
            seed=like.seed,
        )

    def _check(self, shown: Names, rows: Sequence[Row]) -> None:
        """Check one proper subset's vectors against what the rows have."""
        try:
            vectors = self.embeddings.subset(shown)
        except InputError as error:
            raise NotPossibleError(str(error)) from error
        name = f"`embedding/{'+'.join(shown)}`"
        if vectors.shape[1] != self.embeddings.vectors.shape[1]:
            raise InputError(
                f"{self.embeddings.source}: {name} is {vectors.shape[1]} wide and `embedding` "
                f"{self.embeddings.vectors.shape[1]}",
                allowed="one width, so that any can be compared with any",
            )
        ids = [row.observation for row in rows]
        empty = ~vectors[self.embeddings.rows(ids)].any(axis=1)
        lacking = np.array([row.paths.keys().isdisjoint(shown) for row in rows])
        for wrong, what in (
            (empty & ~lacking, "is all zeros, though the manifest has an image of them"),
            (lacking & ~empty, "is not all zeros, though the manifest has no image of them"),
        ):
            if wrong.any():
                first = ids[int(np.argmax(wrong))]
                raise InputError(
                    f"{self.embeddings.source}: {name} of {first!r} {what} ({int(wrong.sum())} observations)",
                    do="embed this data set again with --modalities each-subset",
                )
