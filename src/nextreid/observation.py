"""One sighting of an object: one image per modality, and what is known of it."""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nextreid.errors import InputError
from nextreid.modality import check_modality

Box = tuple[int, int, int, int]
"""x0 y0 x1 y1 in pixels, x1 and y1 exclusive."""

ImageLike = Any
"""A path, a PIL image, an array (H,W) or (H,W,C) uint8/uint16/float 0..1, or a tensor (C,H,W)."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of a caption, about one attribute group.

    Attributes:
        group: name of the attribute group (a semantic expert's subject); `NextReID.groups` lists a model's.
        text: the sentence.
        confidence: 0..1, or None where unknown.
        evidence: modalities whose images made it. It is used only where all of them are present.

    Raises:
        InputError: a group or text that is no text or empty, a confidence that is no number from 0 to 1, or
            modalities that are not a set of names.
    """

    group: str
    text: str
    confidence: float | None = None
    evidence: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the values: a wrong one would surface deep in the tokenizer, or weigh what it should not."""
        for name in ("group", "text"):
            value = getattr(self, name)
            if not (isinstance(value, str) and value.strip()):
                raise InputError(f"Sentence: {name}={reprlib.repr(value)}", allowed="text")
        c = self.confidence
        if c is not None and not (isinstance(c, Real) and 0 <= c <= 1):  # nan is refused, too
            raise InputError(
                f"Sentence: confidence={reprlib.repr(c)}", allowed="a number from 0 to 1, or None"
            )
        names = self.evidence
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise InputError(f"Sentence: evidence={names!r}", allowed='a set of names, e.g. {"rgb"}')
        object.__setattr__(self, "evidence", frozenset(names))


@dataclass(frozen=True, init=False)
class Observation:
    """One sighting of one object.

    Modalities are keywords: `Observation(rgb="a.jpg", tir=array, camera="3")`. Any may be absent;
    an image given as None is absent.

    Attributes:
        images: modality name -> path, PIL image, array or tensor (`ImageLike`).
        boxes: modality name -> (x0, y0, x1, y1) in pixels, to crop on reading.
        id: name of the observation; "" when not known.
        identity, camera, scene, time, view, kind: what is known of it, or None.
        captions: sentences about it, in any order.

    Raises:
        InputError: no image at all, a bad modality name, a value that is no image, a box for an
            absent modality or one that is not four whole numbers, a caption that is no `Sentence`.
    """

    images: Mapping[str, ImageLike]
    boxes: Mapping[str, Box] = field(default_factory=dict)
    id: str = ""
    identity: str | None = None
    camera: str | None = None
    scene: str | None = None
    time: str | None = None
    view: str | None = None
    kind: str | None = None
    captions: tuple[Sentence, ...] = ()

    def __init__(
        self,
        *,
        id: str = "",
        identity: str | None = None,
        camera: str | int | None = None,
        scene: str | int | None = None,
        time: str | None = None,
        view: str | None = None,
        kind: str | None = None,
        captions: Iterable[Sentence] = (),
        boxes: Mapping[str, Box] | None = None,
        images: Mapping[str, ImageLike] | None = None,
        **modalities: ImageLike,
    ) -> None:
        given = {**(images or {}), **modalities}
        kept = {check_modality(name): image for name, image in given.items() if image is not None}
        for name, image in kept.items():
            if not _is_image(image):
                raise InputError(
                    f"Observation {id!r}: {name}={reprlib.repr(image)} is not an image",
                    allowed="a path, a PIL image, an array or a tensor under a modality's name; or "
                    "one of id, identity, camera, scene, time, view, kind, captions, boxes, images",
                )
        if not kept:
            raise InputError(f"Observation {id!r} has no image", allowed="at least one modality")
        crops: dict[str, Box] = {}
        for name, given_box in (boxes or {}).items():
            if name not in kept:
                raise InputError(f"Observation {id!r} has a box for {name!r} but no image of it")
            box = _box(given_box)
            if box is None:
                raise InputError(
                    f"Observation {id!r}: the box of {name!r} is {reprlib.repr(given_box)}",
                    allowed="(x0, y0, x1, y1), four whole numbers of pixels",
                )
            crops[name] = box
        many = isinstance(captions, Iterable) and not isinstance(captions, str | Sentence)
        sentences = tuple(captions) if many else (captions,)
        for sentence in sentences:
            if not isinstance(sentence, Sentence):
                raise InputError(
                    f"Observation {id!r}: the caption {reprlib.repr(sentence)} is not a Sentence",
                    allowed="captions=[Sentence(group, text), ...]; NextReID.groups lists the groups",
                )
        values = {
            "images": MappingProxyType(kept),
            "boxes": MappingProxyType(crops),
            "id": id,
            "identity": identity,
            "camera": None if camera is None else str(camera),
            "scene": None if scene is None else str(scene),
            "time": time,
            "view": view,
            "kind": kind,
            "captions": sentences,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The present modalities, in the order given."""
        return tuple(self.images)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through the constructor (loader workers send observations to each other)."""
        keywords = {key: getattr(self, key) for key in self.__dataclass_fields__}
        keywords["images"], keywords["boxes"] = dict(self.images), dict(self.boxes)
        return (_rebuild, (keywords,))


def _rebuild(keywords: dict[str, Any]) -> Observation:
    return Observation(**keywords)


def _is_image(value: object) -> bool:
    """Tell whether a value can be an image, without importing Pillow, NumPy or torch."""
    return isinstance(value, str | Path) or hasattr(value, "__array__") or hasattr(value, "convert")


def _box(value: object) -> Box | None:
    """Return a box as plain numbers, or None where it is none."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return None
    numbers = tuple(value)
    if len(numbers) != 4 or not all(isinstance(number, Integral) for number in numbers):
        return None
    x0, y0, x1, y1 = map(int, numbers)
    return x0, y0, x1, y1
