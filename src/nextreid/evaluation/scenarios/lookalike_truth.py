"""What tells look-alikes apart, and where it can be seen: read from a truth table, no schema needed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from nextreid.data.manifest import Manifest, Row
from nextreid.evaluation.probe.truth import COLUMNS, TRUTH, truth_table


@dataclass(frozen=True, eq=False)
class Distinctions:
    """The lasting attributes of identities, and what observations show.

    Attributes:
        values: identity -> lasting attribute -> value.
        seen: observation -> modality -> the attributes that its image shows.
    """

    values: Mapping[str, Mapping[str, str]]
    seen: Mapping[str, Mapping[str, frozenset[str]]]

    def apart(self, one: str, other: str) -> frozenset[str]:
        """Return the lasting attributes of which two identities are known to have different values."""
        a, b = self.values.get(one, {}), self.values.get(other, {})
        return frozenset(name for name in a.keys() & b.keys() if a[name] != b[name])

    def shown(self, row: Row) -> frozenset[str]:
        """Return the attributes that any of an observation's images shows."""
        by_modality = self.seen.get(row.observation, {})
        return frozenset().union(*(by_modality.get(name, frozenset()) for name in row.paths))


def read_distinctions(manifest: Manifest) -> Distinctions | None:
    """Read `truth.parquet` at the root of a data set; None where there is none.

    An attribute is lasting when no identity of the data set has two values of it. Viewpoint, light and
    image quality are not: they change from one observation to the next, and tell nobody apart.

    Args:
        manifest: the whole data set, all splits: the more observations, the surer what is lasting.

    Raises:
        InputError: a damaged table.
    """
    path = manifest.root / TRUTH
    if not path.is_file():
        return None
    table = truth_table(path)
    identity = {row.observation: row.identity for row in manifest.rows if row.identity is not None}
    told: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    facts = zip(*(table[name] for name in COLUMNS), strict=True)
    for observation, modality, attribute, value, visible in facts:
        if observation in identity:
            told[str(identity[observation])][attribute].add(value)
            if visible:
                seen[observation][modality].add(attribute)
    passing = {name for values in told.values() for name, found in values.items() if len(found) > 1}
    return Distinctions(
        values={
            who: {name: min(found) for name, found in values.items() if name not in passing}
            for who, values in told.items()
        },
        seen={
            observation: {modality: frozenset(names) for modality, names in images.items()}
            for observation, images in seen.items()
        },
    )
