"""Rank-1 among look-alikes, which share all but one attribute.

Every query is ranked against the entries of its own look-alike group (column `lookalike`) that the
protocol keeps. Counted are queries that can be decided by looking: an attribute that tells the query's
identity from a look-alike is seen in the query and in one of its matches. An order drawn at random puts
a match first in n of N cases (n matches among N kept entries), so the score is corrected for that.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation, query_and_gallery
from nextreid.evaluation.ranking import rank
from nextreid.evaluation.scenarios.lookalike_truth import Distinctions
from nextreid.evaluation.scenarios.scenario import NotPossibleError
from nextreid.progress import Progress, Silent


@dataclass(frozen=True)
class GroupQuery:
    """One counted query.

    Attributes:
        query: its observation id.
        group: its look-alike group.
        hit: whether the nearest entry of the group is a match.
        chance: share of the group's kept entries that are.
        attributes: what tells it from its look-alikes and is seen in it and in a match; empty without truth.
    """

    query: str
    group: str
    hit: bool
    chance: float
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class GroupCounts:
    """What became of the queries that have a look-alike group: `total` is the sum of the others.

    Attributes:
        total: queries of the split whose cell `lookalike` is filled.
        counted: in the scores.
        without_match: no entry of their identity is kept.
        without_lookalike: no other identity of their group is in the gallery.
        not_visible: nothing that tells them from a look-alike is seen in the query and in a match.
    """

    total: int
    counted: int
    without_match: int
    without_lookalike: int
    not_visible: int


@dataclass(frozen=True)
class FineGrained:
    """The outcome.

    Attributes:
        queries: the counted ones, in the manifest's order within each group.
        counts: what became of the others.
        truth: whether a truth table said what can be seen; without one, every query counts.
    """

    queries: tuple[GroupQuery, ...]
    counts: GroupCounts
    truth: bool


def fine_grained(
    embeddings: Embeddings,
    manifest: Manifest,
    *,
    full: Evaluation,
    distinctions: Distinctions | None = None,
    split: str = "test",
    progress: Progress | None = None,
) -> FineGrained:
    """Rank every query inside its look-alike group.

    Args:
        embeddings: of at least all queries and gallery entries.
        manifest: the whole data set.
        full: the evaluation of the whole gallery; its protocol and metric are used.
        distinctions: what can be told apart and where; None: unknown, every query counts.
        split: as for the full evaluation.
        progress: one step per group.

    Raises:
        NotPossibleError: no look-alike groups, galleries that are drawn, or no query that counts.
        InputError: an identity in two groups.
    """
    if full.protocol.draws is not None:
        raise NotPossibleError(
            f"Protocol {full.protocol.name} draws its galleries, so a group would be there in part",
            allowed="a protocol with one gallery, such as cross-camera",
        )
    queries, gallery = full.protocol.candidates(*query_and_gallery(embeddings, manifest, split=split))
    of_queries, of_gallery = _by_group(queries), _by_group(gallery)
    if not of_queries:
        raise NotPossibleError(
            f"{manifest.source} names no look-alikes: its column `lookalike` is missing or empty in the "
            f"queries of the {split} split",
            do="fill it with one name for all that look alike; `nextreid synth` writes such data",
        )
    _check_identities([*queries, *gallery])
    counted: list[GroupQuery] = []
    lost = {"without_match": 0, "without_lookalike": 0, "not_visible": 0}
    with (progress or Silent()).task("look-alike groups", len(of_queries)) as task:
        for name, asked in of_queries.items():
            found = _score_group(name, asked, of_gallery.get(name, []), embeddings, full, distinctions, lost)
            counted += found
            task.advance()
    counts = GroupCounts(total=sum(map(len, of_queries.values())), counted=len(counted), **lost)
    if not counted:
        raise NotPossibleError(
            f"No query can be scored among look-alikes: of {counts.total}, {counts.without_match} have no "
            f"match left, {counts.without_lookalike} no look-alike in the gallery, and of "
            f"{counts.not_visible} the difference is not seen",
            allowed="groups of two identities or more, each seen as the protocol asks",
        )
    return FineGrained(tuple(counted), counts, truth=distinctions is not None)


def _by_group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.lookalike is not None:
            groups[row.lookalike].append(row)
    return dict(groups)


def _check_identities(rows: Sequence[Row]) -> None:
    first: dict[str, Row] = {}
    for row in rows:
        if row.identity is None:
            continue
        known = first.setdefault(row.identity, row)
        if known.lookalike != row.lookalike:
            raise InputError(
                f"Identity {row.identity!r} has the look-alike group {known.lookalike!r} in {known.place}, "
                f"but {row.lookalike!r} in {row.place}",
                allowed="one group for all rows of an identity",
                do="correct the column `lookalike`",
            )


def _score_group(
    name: str,
    queries: list[Row],
    gallery: list[Row],
    embeddings: Embeddings,
    full: Evaluation,
    distinctions: Distinctions | None,
    lost: dict[str, int],
) -> list[GroupQuery]:
    """Rank one group's queries in its own gallery; what does not count is added to `lost`."""
    try:
        matching = full.protocol.match(queries, gallery)
    except InputError:  # its rows passed the check in the whole gallery: no query of the group has a match
        lost["without_match"] += len(queries)
        return []
    ranking = rank(
        embeddings.vectors[embeddings.rows([row.observation for row in queries])],
        embeddings.vectors[embeddings.rows([row.observation for row in gallery])],
        matching,
        metric=full.metric,
        top_k=1,
    )
    counted = []
    for at, query in enumerate(queries):
        matches, kept = int(ranking.matches[at]), int(ranking.kept[at])
        if not matches:
            lost["without_match"] += 1
            continue
        if matches == kept:
            lost["without_lookalike"] += 1
            continue
        attributes: tuple[str, ...] = ()
        if distinctions is not None:
            others = [gallery[i] for i in np.flatnonzero(matching.kept(at))]
            positives = [gallery[i] for i in matching.positives(at)]
            attributes = _decisive(query, positives, others, distinctions)
            if not attributes:
                lost["not_visible"] += 1
                continue
        hit = bool(ranking.first_match_rank[at] == 1)
        counted.append(GroupQuery(query.observation, name, hit, matches / kept, attributes))
    return counted


def _decisive(
    query: Row, positives: Sequence[Row], kept: Sequence[Row], distinctions: Distinctions
) -> tuple[str, ...]:
    """Return the attributes that tell the query from its look-alikes and are seen in it and a match.

    Empty where some look-alike cannot be told from the query by any such attribute.
    """
    seen = distinctions.shown(query) & frozenset().union(*map(distinctions.shown, positives))
    identities = {row.identity for row in kept if row.identity is not None} - {query.identity}
    each = [distinctions.apart(str(query.identity), other) & seen for other in sorted(identities)]
    return tuple(sorted(frozenset().union(*each))) if all(each) else ()
