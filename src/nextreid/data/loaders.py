"""From observations to batches: for training, with its random draws, and for embedding, without."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nextreid.data.augment import Augmentation
from nextreid.data.batch import Batch, Evidence, Prompts, Sample, collate
from nextreid.data.cache import ResizedImages
from nextreid.data.dropout import InputDropout
from nextreid.data.images import ImageTransform, read_image
from nextreid.data.sampler import BatchStream, Draw
from nextreid.errors import InputError, NextReidError
from nextreid.observation import Observation, Sentence
from nextreid.seeding import derive_seed, numpy_generator

PromptRule = Callable[[Sequence[Sentence], frozenset[str], np.random.Generator | None], Prompts]
"""(sentences, present modalities, generator in training | None in evaluation) -> what experts hear."""


def no_prompts(
    sentences: Sequence[Sentence], present: frozenset[str], rng: np.random.Generator | None
) -> Prompts:
    """Let no expert hear anything: for models without text."""
    return ()


def label_map(observations: Sequence[Observation]) -> dict[str, int]:
    """Return identity -> label, in sorted order.

    Raises:
        InputError: an observation without identity.
    """
    for observation in observations:
        if observation.identity is None:
            raise InputError(
                f"Training observation {observation.id!r} has no identity",
                allowed="an identity for each training observation",
                do="fill the column `identity`, or give these rows another split than train",
            )
    return {name: label for label, name in enumerate(sorted({str(o.identity) for o in observations}))}


@dataclass(frozen=True)
class TrainingOptions:
    """What is drawn at random for each observation, and from which seed.

    Attributes:
        seed: the run's seed; every draw depends on (seed, epoch, observation) alone.
        augmentation: changes to the images.
        dropout: what is hidden.
        routing_noise: give the model seeds for its routing noise.
    """

    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    dropout: InputDropout = field(default_factory=InputDropout)
    routing_noise: bool = True


class TrainingSet(Dataset[Sample]):
    """Training observations, to be drawn by `Draw(epoch, index)`.

    Args:
        images: the observations' images; ids must be distinct and not empty.
        modalities: the model's modalities; an observation with others gives extra columns.
        prompts: what the experts hear.
        options: the random draws.

    Raises:
        InputError: no observation, one without identity, or two of one id.
    """

    def __init__(
        self,
        images: ResizedImages,
        *,
        modalities: Sequence[str],
        prompts: PromptRule = no_prompts,
        options: TrainingOptions | None = None,
    ) -> None:
        self.images, self.observations = images, images.observations
        if not self.observations:
            raise InputError("No training observation", do="check the column `split`: it needs `train` rows")
        self.modalities, self.prompts = tuple(modalities), prompts
        self.options = options or TrainingOptions()
        self.label_map = label_map(self.observations)
        self.labels = tuple(self.label_map[str(o.identity)] for o in self.observations)
        seen: set[str] = set()
        for observation, place in zip(self.observations, images.places, strict=True):
            if not observation.id or observation.id in seen:
                raise InputError(f"{place}: the id {observation.id!r} is empty or given twice")
            seen.add(observation.id)
        self._mean = torch.tensor(images.transform.mean)[:, None, None]
        self._std = torch.tensor(images.transform.std)[:, None, None]

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.observations)

    def __getitem__(self, draw: Draw) -> Sample:
        """Return one observation as it is seen in one epoch.

        Raises:
            ImageError: an image that cannot be read.
        """
        observation, options = self.observations[draw.index], self.options
        seed, epoch, name = options.seed, draw.epoch, observation.id
        kept = options.dropout.draw(
            observation.modalities, observation.camera, seed=seed, epoch=epoch, observation=name
        )
        pixels = {m: self.images.load(draw.index, m) for m in kept.modalities}
        moved = options.augmentation.move(pixels, seed=seed, epoch=epoch, observation=name)
        ready = {m: self._normalised(image) for m, image in moved.items()}
        ready = options.augmentation.erased(ready, seed=seed, epoch=epoch, observation=name)
        words = numpy_generator(seed, "prompts", epoch, name)
        noise = derive_seed(seed, "routing", epoch, name)
        present = frozenset(kept.modalities)
        heard = self.prompts(observation.captions, present, words)
        return Sample(
            images=ready,
            observation=name,
            prompts=heard,
            camera=kept.camera,
            unnamed=kept.unnamed,
            label=self.labels[draw.index],
            noise_seed=noise if options.routing_noise else None,
            evidence=evidence_of(heard, observation.captions, present),
        )

    def _normalised(self, image: Tensor) -> Tensor:
        """Return (3,H,W) float32 of a uint8 image, as `ImageTransform` does."""
        return (image.float() / 255 - self._mean) / self._std


def evidence_of(heard: Prompts, sentences: Sequence[Sentence], present: frozenset[str]) -> Evidence:
    """Return for each group the present modalities that its sentences were made from.

    Args:
        heard: what each group hears.
        sentences: all sentences of the observation.
        present: the present modalities.
    """
    seen: dict[str, frozenset[str]] = {}
    for sentence in sentences:
        if sentence.evidence <= present:
            seen[sentence.text] = seen.get(sentence.text, frozenset()) | sentence.evidence
    return tuple(frozenset().union(*(seen.get(text, frozenset()) for text, _ in group)) for group in heard)


class BatchLoader:
    """Yields the batches of a stream: the same, in the same order, for any number of workers.

    Args:
        data: the observations.
        stream: which of them, in which order.
        workers: processes that prepare batches; 0: in this one.
        pin: put batches into pinned memory (for CUDA).
    """

    def __init__(
        self, data: TrainingSet, stream: BatchStream, *, workers: int = 0, pin: bool = False
    ) -> None:
        self._loader: DataLoader[Sample] = DataLoader(
            _Reporting(data),
            batch_sampler=stream,
            collate_fn=partial(_collate, modalities=data.modalities),
            num_workers=workers,
            worker_init_fn=_start_worker,
            pin_memory=pin,
        )

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches.

        Raises:
            ImageError: an image that cannot be read, with the message it has without workers.
        """
        for batch in self._loader:
            if isinstance(batch, NextReidError):
                raise batch
            yield batch


class _Reporting(Dataset[Sample]):
    """Return errors instead of raising them: a worker would wrap them in its traceback."""

    def __init__(self, data: TrainingSet) -> None:
        self._data = data

    def __getitem__(self, draw: Draw) -> Sample | NextReidError:  # type: ignore[override]
        try:
            return self._data[draw]
        except NextReidError as error:
            return error


def _collate(samples: Sequence[Sample | NextReidError], modalities: Sequence[str]) -> Batch | NextReidError:
    good = []
    for sample in samples:
        if isinstance(sample, NextReidError):
            return sample
        good.append(sample)
    return collate(good, modalities)


def _start_worker(worker: int) -> None:
    """Compute on one thread, and leave Ctrl-C to the main process, which stops after the step."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def batch_from_observations(
    observations: Sequence[Observation],
    *,
    modalities: Sequence[str],
    transform: ImageTransform,
    prompts: PromptRule = no_prompts,
    places: Sequence[str] | Mapping[int, str] | None = None,
) -> Batch:
    """Read observations as they are, without random draws, for embedding and evaluation.

    Args:
        observations: B observations; modalities unknown to the model get extra columns.
        modalities: the model's modalities, in its order.
        transform: resizes and normalises.
        prompts: what the experts hear.
        places: where each stands, for errors; None: its id, or its number in the list.

    Raises:
        InputError: no observation.
        ImageError: an image that cannot be read.
    """
    samples = []
    for number, observation in enumerate(observations):
        place = places[number] if places is not None else f"observation {observation.id or number!r}"
        images = {
            name: transform(
                read_image(image, box=observation.boxes.get(name), where=f"{place}, modality {name}")
            )
            for name, image in observation.images.items()
        }
        heard = prompts(observation.captions, frozenset(images), None)
        samples.append(
            Sample(images=images, observation=observation.id, prompts=heard, camera=observation.camera)
        )
    return collate(samples, modalities)
