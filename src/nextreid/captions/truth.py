"""The truth that a synthetic world, or a labelled data set, tells of its images: truth.parquet."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from nextreid.attributes.schema import Schema
from nextreid.data.rows import Manifest
from nextreid.errors import InputError

TRUTH = "truth.parquet"
"""Its name, at the root of a data set."""

COLUMNS = ("observation", "modality", "attribute", "value", "visible")

Key = tuple[str, str, str]
"""(observation, modality, attribute)."""


@dataclass(frozen=True)
class Truth:
    """What is true of each image of a data set.

    Attributes:
        values: (observation, modality, attribute) -> value; an attribute that the object does not have (the
            lower garment under a dress) has no entry.
        visible: the entries whose image shows the value.
    """

    values: Mapping[Key, str]
    visible: frozenset[Key]

    @cached_property
    def shown(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """(observation, attribute) -> the modalities whose images show it; none: no entry."""
        found: dict[tuple[str, str], set[str]] = {}
        for observation, modality, attribute in self.visible:
            found.setdefault((observation, attribute), set()).add(modality)
        return {key: frozenset(names) for key, names in found.items()}

    @cached_property
    def observations(self) -> frozenset[str]:
        """The observations that the truth tells of."""
        return frozenset(observation for observation, _, _ in self.values)


def read_truth(manifest: Manifest, schema: Schema) -> Truth:
    """Read the truth of a data set.

    Args:
        manifest: `truth.parquet` lies at its root; rows of observations that it does not list are left out.
        schema: whose attributes and values the truth is told in.

    Raises:
        InputError: no truth, a damaged file, values of another schema, or one that tells of none of the
            observations.
    """
    import pyarrow
    import pyarrow.parquet

    path = manifest.root / TRUTH
    if not path.is_file():
        raise InputError(
            f"{manifest.source} has no truth: there is no {path}",
            allowed=f"a synthetic world, or a table of {', '.join(COLUMNS)} at that place",
        )
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", do="write the world again") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}", allowed=", ".join(COLUMNS))
    seen_as = table.schema.field("visible").type
    if not pyarrow.types.is_boolean(seen_as) or table.column("visible").null_count:
        raise InputError(
            f"{path}: the column visible holds {seen_as}",
            allowed="booleans, true or false, none missing",  # words would all count as true
            do="convert it; a table that went through CSV has the words instead",
        )
    columns = [table.column(name).to_pylist() for name in COLUMNS]
    known = {row.observation for row in manifest.rows}
    allowed = {attribute.name: frozenset(attribute.values) for attribute in schema.attributes}
    values: dict[Key, str] = {}
    visible: set[Key] = set()
    for number, row in enumerate(zip(*columns, strict=True), start=1):
        observation, modality, attribute, value, seen = row
        if observation not in known:
            continue
        if value not in allowed.get(attribute, ()):
            raise InputError(
                f"{path}, row {number}: {attribute} = {value!r} is not in the {schema.kind} schema",
                allowed=", ".join(schema.attribute(attribute).values) if attribute in allowed else None,
                do="mend the value, or give the schema of the kind that the data show",
            )
        key = (str(observation), str(modality), str(attribute))
        if values.setdefault(key, str(value)) != value:
            raise InputError(f"{path}, row {number}: a second value for {' '.join(key)}")
        if seen:
            visible.add(key)
    if not values:
        raise InputError(
            f"{path} tells of none of the observations of {manifest.source}",
            allowed="the truth of the same world",
        )
    return Truth(values, frozenset(visible))
