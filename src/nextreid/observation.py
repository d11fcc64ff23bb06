"""One sighting of an object: one image per modality, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        group: name of the attribute group (a semantic expert's subject).
        text: the sentence.
        confidence: 0..1, or None where unknown.
        evidence: modalities whose images made it. It is used only where all of them are present.
    """

    group: str
    text: str
    confidence: float | None = None
    evidence: frozenset[str] = frozenset()


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
            absent modality.
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
        captions: tuple[Sentence, ...] = (),
        boxes: Mapping[str, Box] | None = None,
        images: Mapping[str, ImageLike] | None = None,
        **modalities: ImageLike,
    ) -> None:
        given = {**(images or {}), **modalities}
        kept = {check_modality(name): image for name, image in given.items() if image is not None}
        for name, image in kept.items():
            if not _is_image(image):
                raise InputError(
                    f"Observation {id!r}: {name}={image!r} is not an image",
                    allowed="a path, a PIL image, an array or a tensor under a modality's name; or "
                    "one of id, identity, camera, scene, time, view, kind, captions, boxes, images",
                )
        if not kept:
            raise InputError(f"Observation {id!r} has no image", allowed="at least one modality")
        for name in boxes or {}:
            if name not in kept:
                raise InputError(f"Observation {id!r} has a box for {name!r} but no image of it")
        values = {
            "images": MappingProxyType(kept),
            "boxes": MappingProxyType(dict(boxes or {})),
            "id": id,
            "identity": identity,
            "camera": None if camera is None else str(camera),
            "scene": None if scene is None else str(scene),
            "time": time,
            "view": view,
            "kind": kind,
            "captions": tuple(captions),
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
