"""Which protocol fits a data set, and which of its queries keep a match under one.

Only what a check needs to know of each protocol: which rows are queries and gallery, and in which column a
query must differ from its match. How protocols score is the evaluation's affair.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nextreid.data.layout_draws import FILE
from nextreid.data.layouts import layout_of
from nextreid.data.rows import Manifest, Row
from nextreid.errors import InputError
from nextreid.modality import NIR, RGB, TIR

SEEDED = "sysu/all-single@agw"
"""SYSU-MM01's protocol for a tree without the official permutations."""

INDOORS = ("1", "2")
"""Locations of SYSU-MM01's indoor gallery (cameras 1 and 2)."""


@dataclass(frozen=True)
class MatchRule:
    """What makes two rows of an identity a query and its match.

    Attributes:
        column: they must differ in it; None: in the observation only.
        queries, gallery: the modality of each side's rows; None: any.
        scenes: scenes of the gallery; (): any.
        drawn: its galleries are drawn by the columns `draw_1` to `draw_10`.
    """

    column: str | None
    queries: str | None = None
    gallery: str | None = None
    scenes: tuple[str, ...] = ()
    drawn: bool = False

    def sides(self, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        """Return the queries and the gallery among rows, those with an identity."""
        named = [row for row in rows if row.identity is not None]
        asking = [row for row in named if row.is_query and (not self.queries or self.queries in row.paths)]
        searched = [
            row
            for row in named
            if row.is_gallery
            and (not self.gallery or self.gallery in row.paths)
            and (not self.scenes or row.scene in self.scenes)
        ]
        return asking, searched

    def without_match(self, rows: Sequence[Row]) -> tuple[list[Row], int]:
        """Return the queries that have no match among rows, and how many queries there are."""
        asking, searched = self.sides(rows)
        column = self.column or "observation"
        total = Counter(row.identity for row in searched)
        removed = Counter((row.identity, getattr(row, column)) for row in searched)
        lone = [r for r in asking if total[r.identity] == removed[r.identity, getattr(r, column)]]
        return lone, len(asking)


RULES: dict[str, MatchRule] = {
    "cross-camera": MatchRule("camera"),
    "cross-scene": MatchRule("scene"),
    "cross-view": MatchRule("view"),
    "none": MatchRule(None),
    **{
        f"sysu/{place}-{shots}": MatchRule("scene", NIR, RGB, scenes, drawn="@" not in shots)
        for place, scenes in (("all", ()), ("indoor", INDOORS))
        for shots in ("single", "multi", "single@agw")
    },
    "regdb/v2t": MatchRule(None, RGB, TIR),
    "regdb/t2v": MatchRule(None, TIR, RGB),
    "llcm/vis2nir": MatchRule("camera", RGB, NIR),
    "llcm/nir2vis": MatchRule("camera", NIR, RGB),
}
"""Protocol -> its rule. (A drawn gallery holds every identity and camera, so draws change nothing here.)"""


def rule_named(protocol: str) -> MatchRule:
    """Return the rule of a protocol.

    Raises:
        InputError: there is none of that name.
    """
    if protocol not in RULES:
        raise InputError(f"{protocol!r} is not a protocol", allowed=", ".join(RULES))
    return RULES[protocol]


@dataclass(frozen=True)
class Recommended:
    """The protocol that fits a data set.

    Attributes:
        protocol: its name.
        why: the reason, to follow a colon.
    """

    protocol: str
    why: str


def recommend(manifest: Manifest) -> Recommended:
    """Return the protocol that fits a data set: its benchmark's, or the strictest that the columns allow."""
    rows = manifest.split("test").rows
    drawn = any("draw_1" in row.extra for row in rows)
    layout = layout_of(manifest)
    if layout is not None:
        if layout.name == "sysu-mm01" and not drawn:
            return Recommended(SEEDED, f"seeded galleries, since there is no {FILE}")
        if layout.name != "folder":
            return Recommended(layout.protocol, f"it is the protocol of {layout.title}")
    held = {name for row in rows for name in row.paths}
    if rows and all(len(row.paths) == 1 for row in rows) and held in ({RGB, NIR}, {RGB, TIR}):
        one = "each test observation is one image, visible or infrared"
        if drawn:
            return Recommended(
                "sysu/all-single", f"{one}, and official galleries are in the columns draw_1 ..."
            )
        if TIR in held:
            return Recommended("regdb/v2t", one)
        if all(row.camera is not None for row in rows):
            return Recommended("llcm/vis2nir", one)
    named = [row for row in rows if row.identity is not None]
    for name in ("cross-camera", "cross-scene", "cross-view"):
        column = RULES[name].column or ""
        if named and all(getattr(row, column) is not None for row in named):
            return Recommended(name, f"every test row has a {column}")
    return Recommended("none", "not every test row has a camera, a scene or a view")
