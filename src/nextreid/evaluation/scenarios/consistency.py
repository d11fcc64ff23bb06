"""Scenario `consistency`: do the modalities see one structure? Measured in two ways, with two controls.

By correspondence (`consistency_matching.py`): for any model with patch tokens. By routing
(`consistency_routing.py`): for models with a structure router. Both need to know what is where, from
the part masks of a synthetic world, which are never used in training.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextreid.data.manifest import Row
from nextreid.errors import InputError
from nextreid.evaluation.results.report_section import Section, Table, percent, span
from nextreid.evaluation.scenarios.consistency_matching import (
    Correspondence,
    SeenImage,
    partners,
    random_tokens,
)
from nextreid.evaluation.scenarios.consistency_parts import ObjectParts, PatchParts, read_parts
from nextreid.evaluation.scenarios.consistency_routing import RoutedImages, routing_entry
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext
from nextreid.progress import Progress, Silent

if TYPE_CHECKING:
    from nextreid.embedding.tokens import PatchTokenReader, PatchTokens

PARTNERS = 4
"""In how many other observations an image is looked up, per modality: ours; intervals are over identities,
and narrow little with more."""

CHUNK = 64
"""Observations whose tokens are held at a time: ours, about 30 MB at 72 patches of 512 numbers."""


@dataclass(eq=False)
class _Routed:
    """Routing maps, collected image by image."""

    identity: list[str] = field(default_factory=list)
    observation: list[str] = field(default_factory=list)
    modality: list[str] = field(default_factory=list)
    routes: list[NDArray[np.float32]] = field(default_factory=list)
    part: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, identity: str, image: SeenImage, routes: NDArray[np.float32]) -> None:
        self.identity.append(identity)
        self.observation.append(image.observation)
        self.modality.append(image.modality)
        self.routes.append(routes)
        self.part.append(image.parts.part)

    def images(self, parts: int, grid: tuple[int, int]) -> RoutedImages:
        routes, part = np.stack(self.routes), np.stack(self.part)
        return RoutedImages(self.identity, self.observation, self.modality, routes, part, parts, grid)


def consistency(
    reader: "PatchTokenReader",
    rows: Sequence[Row],
    parts: ObjectParts,
    *,
    partners_each: int = PARTNERS,
    chunk: int = CHUNK,
    bootstrap: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure cross-modal structural consistency.

    Args:
        reader: a `NextReID` with any model, or the `ImageTextReader` of a bare CLIP.
        rows: observations with identities; those without one are left out.
        parts: what the masks show.
        partners_each: in how many other observations of its identity each image is looked up.
        chunk: observations whose tokens are held at a time, or one identity's where it has more.
        bootstrap: resamples of whole identities for the 95 % intervals; 0 for none.
        seed: of partners, random tokens, shuffles and resamples.
        progress: one step per observation.

    Returns:
        The entry `scenarios.consistency` of results.json: `correspondence` and `routing`, each with
        scores, intervals and controls; `routing` is None, with the reason, where there is no router.

    Raises:
        NotPossibleError: no identity with two observations and two modalities, or no patch on an object.
        ImageError: an image or mask that cannot be read.
    """
    if partners_each < 1:
        raise InputError(f"partners_each = {partners_each}", allowed="1 or more")
    identities = _identities(rows)
    matches, routed = Correspondence(parts.names), _Routed()
    grid: tuple[int, int] | None = None
    with (progress or Silent()).task("consistency", sum(map(len, identities.values()))) as task:
        for some_identities in _chunks(identities, chunk):
            listed = [row for some in some_identities.values() for row in some]
            tokens = reader.patch_tokens(
                [row.to_observation() for row in listed], places=[row.place for row in listed]
            )
            grid, at = tokens.grid, 0
            for identity, some in some_identities.items():
                images = dict(_images(some, tokens, at, parts, seed))
                for one, other in partners(images, count=partners_each, seed=seed):
                    matches.add(identity, images[one], images[other])
                if tokens.routes is not None:
                    for number, row in enumerate(some, start=at):
                        for name in row.paths:
                            routed.add(identity, images[row.observation, name], tokens.routes[name][number])
                at += len(some)
            task.advance(len(listed))
    if grid is None or not matches.sums:
        raise NotPossibleError(
            "No patch lies on a part that another observation of its identity shows in another modality",
            allowed="part masks that name the object's parts, and images that show them",
        )
    routing, reason = None, "the model has no structure router"
    if routed.routes:
        routing = routing_entry(routed.images(len(parts.names), grid), bootstrap=bootstrap, seed=seed)
        reason = "no two modalities of an observation show the object in the same place"
    return {
        "correspondence": matches.entry(bootstrap=bootstrap, seed=seed),
        "routing": routing,
        "routing_reason": None if routing else reason,
        "partners": partners_each,
        "grid": list(grid),
        "seed": seed,
    }


def _identities(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each identity that can be compared, sorted by name."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        if row.identity is not None:
            of.setdefault(row.identity, []).append(row)
    kept = {
        name: of[name]
        for name in sorted(of)
        if len(of[name]) > 1 and len({modality for row in of[name] for modality in row.paths}) > 1
    }
    if not kept:
        raise NotPossibleError(
            f"None of {len(of)} identities has two observations and two modalities",
            allowed="two observations or more of an identity, in two modalities or more",
        )
    return kept


def _chunks(identities: Mapping[str, list[Row]], most: int) -> Iterator[dict[str, list[Row]]]:
    """Yield whole identities, some at a time."""
    chunk: dict[str, list[Row]] = {}
    for name, rows in identities.items():
        if chunk and sum(map(len, chunk.values())) + len(rows) > most:
            yield chunk
            chunk = {}
        chunk[name] = rows
    yield chunk


def _images(
    rows: Sequence[Row], tokens: "PatchTokens", at: int, parts: ObjectParts, seed: int
) -> Iterator[tuple[tuple[str, str], SeenImage]]:
    """Yield the images of rows that stand from `at` on in `tokens`, by (observation, modality)."""
    for number, row in enumerate(rows, start=at):
        for name in row.paths:
            patches = tokens.patches[name][number]
            drawn = random_tokens(
                (patches.shape[0], patches.shape[1]), seed=seed, observation=row.observation, modality=name
            )
            seen: PatchParts = parts.of(row, name, tokens.grid)
            yield (row.observation, name), SeenImage(row.observation, name, patches, drawn, seen)


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario.

    Raises:
        NotPossibleError: embeddings alone, or data without part masks.
    """
    if context.model is None:
        raise NotPossibleError("Embeddings hold no patch tokens", do="give the model: --model RUN/model")
    parts = read_parts(context.manifest)
    if parts is None:
        raise NotPossibleError(
            f"{context.manifest.source} has no part masks (parts.json and parts/)",
            allowed="a synthetic world, as `nextreid synth` writes it",
        )
    return consistency(
        context.model,
        context.manifest.split(context.split).rows,
        parts,
        chunk=context.batch_size,
        bootstrap=context.full.bootstrap,
        seed=context.full.seed,
        progress=context.progress,
    )


def section(document: Mapping[str, Any]) -> Section:
    """Show the entry: accuracy and agreement in percent, information in bits."""
    found, routing = document["correspondence"], document["routing"]
    rows = [
        ("tokens", percent(found["accuracy"]), percent(found["corrected"]), span(found.get("corrected_ci"))),
        ("position alone", percent(found["position"]), "0.0", ""),
        (
            "random tokens",
            percent(found["random"]),
            percent(found["random_corrected"]),
            span(found.get("random_corrected_ci")),
        ),
    ]
    tables = [Table(("", "same part", "beyond position", "95 %"), tuple(rows), title="By correspondence")]
    text = (
        "The most similar patch in another modality of another observation of the same identity: does it lie "
        f"on the same part? {found['patches']} patches of {found['identities']} identities; beyond position: "
        "(accuracy - position) / (1 - position). Intervals over identities. "
    )
    if routing is None:
        return Section(
            "Cross-modal structural consistency",
            (),
            tuple(tables),
            f"{text}Routing: {document['routing_reason']}.",
        )
    scored = [("router", routing)] + [(f"{name} control", c) for name, c in routing["controls"].items()]
    lines = [
        (
            name,
            percent(score["agreement"]),
            span(score.get("agreement_ci")),
            _bits(score["information"]),
            " to ".join(_bits(end) for end in score.get("information_ci", ())),
        )
        for name, score in scored
    ]
    header = ("", "agreement (1 - JSD)", "95 %", "bits about the part", "95 %")
    tables.append(Table(header, tuple(lines), title="By routing"))
    text += (
        "Agreement of routing maps says nothing alone: a router by position alone has 100. Bits: mutual "
        f"information of route and part given position, of {routing['part_entropy']:.3f} that there are."
    )
    return Section("Cross-modal structural consistency", (), tuple(tables), text)


def _bits(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # without a minus before zeros
