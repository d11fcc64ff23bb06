"""One way to read images and sentences into a joint space, for a bare CLIP and for a model of ours alike."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nextreid.data.images import ImageTransform, read_image
from nextreid.embedding.embedder import NextReID, choose_device
from nextreid.embedding.tokens import PatchTokens, of_images
from nextreid.errors import InputError
from nextreid.model.backbone import Clip, VisualEncoder
from nextreid.model.sentences import SentenceEncoder
from nextreid.observation import Observation
from nextreid.progress import Progress, Silent

BATCH = 64
"""Images at a time: ours, their patch tokens take 20 MB at D = 512 and 128 patches."""


@dataclass(frozen=True, eq=False)
class ImageTokens:
    """Images in the joint space; every vector has length one.

    Attributes:
        classes: (n,D) float32, one vector an image.
        patches: (n,N,D) float32, one vector a patch, row by row: what sentences are compared with.
    """

    classes: NDArray[np.float32]
    patches: NDArray[np.float32]


class TokenReader(Protocol):
    """Whatever puts images and sentences into one space."""

    @property
    def size(self) -> tuple[int, int]:
        """Input (H,W) in pixels."""

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns), N = rows * columns."""

    def stream(
        self,
        observations: Sequence[Observation],
        modality: str,
        *,
        places: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[ImageTokens]:
        """Yield the tokens of one modality's images, in order, a batch at a time."""

    def sentences(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return normalised sentence vectors, (S,D)."""


class ImageTextReader:
    """Reads images and sentences with the two towers of a CLIP.

    Args:
        visual: the visual tower, with projection and modality embedding.
        text: the frozen text tower.
        transform: what resizes and normalises images.
        modalities: the names that the modality embedding knows, in order; any other is "unknown".
        device: auto, cpu, cuda, mps.
        batch_size: images at a time.

    Raises:
        InputError: a size that does not fit the patches, or no such device.
    """

    def __init__(
        self,
        *,
        visual: VisualEncoder,
        text: SentenceEncoder,
        transform: ImageTransform,
        modalities: Sequence[str] = (),
        device: str = "auto",
        batch_size: int = BATCH,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}", allowed="1 or more")
        height, width = transform.size
        if height % visual.patch or width % visual.patch:
            raise InputError(
                f"Input size {height}x{width} does not fit patches of {visual.patch}x{visual.patch}",
                allowed=f"height and width that are multiples of {visual.patch}",
            )
        self.device = choose_device(device)
        self.visual = visual.to(self.device).eval()
        self.text = text.to(self.device).eval()
        self.transform = transform
        self.modalities = tuple(modalities)
        self.batch_size = batch_size

    @classmethod
    def from_clip(
        cls, clip: Clip, *, size: tuple[int, int], device: str = "auto", batch_size: int = BATCH
    ) -> "ImageTextReader":
        """Read with a CLIP as it is: every modality goes through the same tower, told from no other.

        Args:
            clip: the model and its tokenizer.
            size: input (H,W); the position embedding is interpolated to it.
            device: auto, cpu, cuda, mps.
            batch_size: images at a time.
        """
        return cls(
            visual=VisualEncoder(clip.model, modalities=0, cameras=None, dense="last"),
            text=SentenceEncoder(clip.model, clip.tokenizer),
            transform=ImageTransform(size=size),
            device=device,
            batch_size=batch_size,
        )

    @classmethod
    def from_model(cls, model: NextReID, *, batch_size: int = BATCH) -> "ImageTextReader":
        """Read with a trained model's backbone, its modality embedding and its frozen sentence encoder.

        Patches are those that the model's own text is compared with (`text_dense`). The camera is
        unknown to it, as for a picture from elsewhere.
        """
        return cls(
            visual=model.model.encoder.visual,
            text=model.model.sentences,
            transform=model.transform,
            modalities=model.modalities,
            device=str(model.device),
            batch_size=batch_size,
        )

    @property
    def size(self) -> tuple[int, int]:
        """Input (H,W) in pixels."""
        return self.transform.size

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return self.size[0] // self.visual.patch, self.size[1] // self.visual.patch

    @property
    def dim(self) -> int:
        """D, the width of the joint space."""
        return self.visual.dim

    def stream(
        self,
        observations: Sequence[Observation],
        modality: str,
        *,
        places: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[ImageTokens]:
        """Yield the tokens of one modality's images, in order, a batch at a time; the next is read meanwhile.

        Args:
            observations: each with an image of the modality.
            modality: its name; one that the model does not know is read as "unknown".
            places: where each observation stands (file and row), for errors.
            progress: one step an image.

        Raises:
            InputError: an observation without that modality.
            ImageError: an image that cannot be read.
        """
        lacking = [number for number, o in enumerate(observations) if modality not in o.images]
        if lacking:
            raise InputError(
                f"{len(lacking)} observations have no {modality}, the first of them "
                f"{observations[lacking[0]].id or lacking[0]!r}",
                do="leave them out",
            )
        named = _named(observations, places)
        parts = [slice(at, at + self.batch_size) for at in range(0, len(observations), self.batch_size)]
        if not parts:
            return

        def read(part: slice) -> Tensor:
            pairs = zip(observations[part], named[part], strict=True)
            return torch.stack([self._pixels(o, modality, place) for o, place in pairs])

        with (
            ThreadPoolExecutor(max_workers=1) as pool,
            (progress or Silent()).task(f"Reading {modality}", len(observations)) as task,
        ):
            ahead = pool.submit(read, parts[0])
            for number in range(len(parts)):
                pixels = ahead.result()
                if number + 1 < len(parts):
                    ahead = pool.submit(read, parts[number + 1])
                yield self.pixels(pixels, modality)
                task.advance(len(pixels))

    def images(
        self, observations: Sequence[Observation], modality: str, *, places: Sequence[str] | None = None
    ) -> ImageTokens:
        """Return the tokens of one modality's images at once; for many, `stream` them.

        Raises:
            InputError: no observation, or one without that modality.
            ImageError: an image that cannot be read.
        """
        parts = list(self.stream(observations, modality, places=places))
        if not parts:
            raise InputError("There is no observation to read", allowed="at least one")
        return ImageTokens(
            np.concatenate([part.classes for part in parts]), np.concatenate([part.patches for part in parts])
        )

    @torch.inference_mode()
    def pixels(self, pixels: Tensor, modality: str) -> ImageTokens:
        """Return the tokens of images that are read already.

        Args:
            pixels: (n,3,H,W) float32, resized and normalised.
            modality: what they show.

        Raises:
            InputError: another shape.
        """
        classes, _, patches = self._encode(pixels, modality)
        return ImageTokens(_normal(classes), _normal(patches))

    @torch.inference_mode()
    def patch_tokens(
        self, observations: Sequence[Observation], *, places: Sequence[str] | None = None
    ) -> PatchTokens:
        """Return the tower's last patch tokens of every image, whatever sentences are compared with.

        Raises:
            InputError: no observation.
            ImageError: an image that cannot be read.
        """
        named = _named(observations, places)

        def encode(modality: str, part: Sequence[int]) -> Tensor:
            pixels = torch.stack([self._pixels(observations[i], modality, named[i]) for i in part])
            return self._encode(pixels, modality)[1]

        return of_images(observations, encode, grid=self.grid, batch_size=self.batch_size)

    def _encode(self, pixels: Tensor, modality: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return class tokens (n,D), patch tokens (n,N,D), and what text is compared with (n,N,D)."""
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, *self.size):
            raise InputError(f"Pixels of shape {tuple(pixels.shape)}", allowed=f"(n, 3, {self.size})")
        unknown = len(self.modalities)
        known = self.modalities.index(modality) if modality in self.modalities else unknown
        n = len(pixels)
        role = torch.full((n,), known, device=self.device)
        camera = self.visual.camera
        nobody = 0 if camera is None else camera.num_embeddings - 1  # the last entry is "unknown"
        place = torch.full((n,), nobody, device=self.device)
        encoded: tuple[Tensor, Tensor, Tensor] = self.visual(pixels.to(self.device), role, place)
        return encoded

    @torch.inference_mode()
    def sentences(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return normalised sentence vectors, (S,D); each distinct sentence is encoded once.

        Raises:
            InputError: one string, whose letters would count as sentences, or an empty sentence.
        """
        if isinstance(sentences, str):
            raise InputError(f"sentences = {sentences!r}", allowed="a list of strings", do="write [sentence]")
        if any(not sentence.strip() for sentence in sentences):
            raise InputError("sentences holds an empty one", allowed="sentences with words")
        if not sentences:
            return np.zeros((0, self.dim), np.float32)
        return _normal(self.text(list(sentences)))

    def _pixels(self, observation: Observation, modality: str, place: str) -> Tensor:
        image = observation.images[modality]
        where = f"{place}, modality {modality}"
        return self.transform(read_image(image, box=observation.boxes.get(modality), where=where))


def _named(observations: Sequence[Observation], places: Sequence[str] | None) -> Sequence[str]:
    return places if places is not None else [f"observation {o.id!r}" for o in observations]


def _normal(vectors: Tensor) -> NDArray[np.float32]:
    normal: NDArray[np.float32] = F.normalize(vectors.float(), dim=-1).cpu().numpy()
    return normal
