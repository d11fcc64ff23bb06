"""NextReID: a trained model that turns observations into vectors."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from numbers import Integral
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from nextreid.attributes.schema import Schema
from nextreid.data.batch import Batch, Prompts
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import batch_from_observations
from nextreid.embedding.arguments import check_choice, check_subset, listed, listed_texts
from nextreid.embedding.embeddings import Embeddings
from nextreid.embedding.tokens import PatchTokens, joined, of_output
from nextreid.errors import InputError
from nextreid.model.encoder import blank_tokens, restricted, zero_filled
from nextreid.model.outputs import Tokens
from nextreid.model.pretrained import Pretrained, load_model, save_model
from nextreid.model.sentences import select_prompts
from nextreid.observation import Observation, Sentence
from nextreid.progress import Progress, Silent

Precision = Literal["fp32", "bf16"]

Fill = Literal["mask", "zero"]
"""An absent image is left out, or stands as zeros (after normalisation) under the model's own modalities."""


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        InputError: a device that this machine lacks.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in there:
        raise InputError(f"There is no device {name!r}", allowed="auto, cpu, cuda, mps")
    if not there[kind]:
        raise InputError(f"This machine has no {kind} device that torch can use", do="use --device auto")
    return torch.device(name)


def each_subset(modalities: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return every non-empty proper subset, small ones first, names in the given order."""
    return tuple(s for size in range(1, len(modalities)) for s in combinations(modalities, size))


class NextReID:
    """A model ready for use.

    Args:
        pretrained: the model and its settings.
        device: auto, cpu, cuda, mps.
    """

    def __init__(self, pretrained: Pretrained, *, device: str = "auto") -> None:
        self.pretrained = pretrained
        self.device = choose_device(device)
        self.model = pretrained.model.to(self.device).eval()
        a = pretrained.architecture
        self.modalities = a.modalities
        schema = Schema.from_dict(a.schema)
        self.groups = tuple(group.name for group in schema.identity_groups)  # the experts' subjects
        self._known_groups = frozenset(group.name for group in schema.groups)
        self.transform = ImageTransform(size=a.size, mean=a.mean, std=a.std)

    def __repr__(self) -> str:
        """Say what it is."""
        a = self.pretrained.architecture
        return f"NextReID({a.name}, {'+'.join(a.modalities)}, {a.size[0]}x{a.size[1]}, on {self.device})"

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, device: str = "auto") -> "NextReID":
        """Load a model folder, as training writes it to RUN/model.

        Raises:
            InputError: not a model folder, a damaged one, or no such device.
        """
        if not isinstance(folder, (str, Path)) or not str(folder):
            raise InputError(f"folder={folder!r}", allowed="the path of a model folder, as RUN/model")
        check_model_folder(Path(folder))
        return cls(load_model(folder), device=device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model folder: safetensors, config.json, tokenizer, model card."""
        return save_model(self.pretrained, folder)

    @torch.inference_mode()
    def embed(
        self,
        observations: Iterable[Observation],
        *,
        batch_size: int = 64,
        captions: bool = True,
        subsets: Sequence[Sequence[str]] = (),
        precision: Precision = "fp32",
        fill: Fill = "mask",
        progress: Progress | None = None,
        places: Sequence[str] | None = None,
    ) -> Embeddings:
        """Turn observations into retrieval vectors.

        Args:
            observations: any mix of modalities, known to the model or not; with or without captions.
            batch_size: observations at a time.
            captions: False: every expert hears its generic prompt.
            subsets: modality sets to embed besides, as if the others were absent; an observation
                with none of a subset gets a row of zeros there.
            precision: of the arithmetic.
            fill: what stands for an absent image, in `subsets` too.
            progress: one step per observation.
            places: where each stands (file and row), for errors.

        Returns:
            One vector per observation, in the given order; ids are the observations' own, or their
            number where they have none.

        Raises:
            InputError: no observation, an id given twice, a caption of an unknown group, a subset that is no
                set of modalities of the model or the observations, or an argument that is not allowed.
            ImageError: an image that cannot be read.
        """
        observations = listed(observations)
        check_choice("precision", precision, get_args(Precision))
        check_choice("fill", fill, get_args(Fill))
        known = {*self.modalities, *(name for one in observations for name in one.modalities)}
        for subset in subsets:
            check_subset(subset, known)
        widths = self.model.widths
        rows: list[np.ndarray] = []
        parts: dict[str, list[np.ndarray]] = {"+".join(s): [] for s in subsets}
        for part, batch in self._batches(observations, batch_size, captions, progress, places):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
                tokens = self.model.encoder(batch)
                blank = blank_tokens(self.model.encoder, batch) if fill == "zero" else None
                whole = tokens if blank is None else zero_filled(tokens, blank, tokens.present)
                rows.append(_numpy(self.model.describe(whole, batch).embedding()))
                for subset in subsets:
                    part_rows = self._subset_rows(tokens, blank, batch, part, frozenset(subset), captions)
                    parts["+".join(subset)].append(part_rows)
        edges = np.cumsum([0, *widths.values()]).tolist()
        return Embeddings(
            observation=_ids(observations),
            vectors=np.concatenate(rows),
            subsets={name: np.concatenate(part) for name, part in parts.items()},
            branches={name: slice(a, b) for name, a, b in zip(widths, edges, edges[1:], strict=False)},
        )

    @torch.inference_mode()
    def embed_for_words(
        self, observations: Iterable[Observation], *, batch_size: int = 64, progress: Progress | None = None
    ) -> Embeddings:
        """Turn observations into vectors of the joint space, to be compared with `embed_words`."""
        observations = listed(observations)
        batches = self._batches(observations, batch_size, False, progress, None)
        rows = [_numpy(self.model(batch).text_vector) for _, batch in batches]
        return Embeddings(observation=_ids(observations), vectors=np.concatenate(rows))

    @torch.inference_mode()
    def patch_tokens(
        self,
        observations: Sequence[Observation],
        *,
        batch_size: int = 64,
        places: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> PatchTokens:
        """Return the backbone's patch tokens of every image, and where a structure router sends them.

        All are held in memory: 72 patches of 512 numbers are 0.15 MB an image.
        """
        observations = listed(observations)
        batches = self._batches(observations, batch_size, False, progress, places)
        return joined(of_output(self.model(batch), batch) for _, batch in batches)

    def embed_words(self, sentences: Sequence[str]) -> np.ndarray:
        """Return normalised sentence vectors, (n,D) float32.

        Raises:
            InputError: no list of sentences, an empty one, or something in it that is no text.
        """
        return _numpy(self.model.sentences(listed_texts(sentences)))

    def _batches(
        self,
        observations: Sequence[Observation],
        batch_size: int,
        captions: bool,
        progress: Progress | None,
        places: Sequence[str] | None,
    ) -> Iterator[tuple[Sequence[Observation], Batch]]:
        """Yield observations and their batch on the device; the next batch is read meanwhile."""
        if not observations:
            raise InputError("There is no observation to embed", allowed="at least one")
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}", allowed="a whole number, 1 or more")
        starts = range(0, len(observations), batch_size)

        def read(start: int) -> Batch:
            return batch_from_observations(
                observations[start : start + batch_size],
                modalities=self.modalities,
                transform=self.transform,
                prompts=lambda sentences, present, _: self._prompts(sentences, present, captions),
                places=None if places is None else places[start : start + batch_size],
            )

        with (
            ThreadPoolExecutor(max_workers=1) as pool,
            (progress or Silent()).task("embedding", len(observations)) as task,
        ):
            ahead = pool.submit(read, 0)
            for start in starts:
                batch = ahead.result()
                if start + batch_size < len(observations):
                    ahead = pool.submit(read, start + batch_size)
                part = observations[start : start + batch_size]
                yield part, batch.to(self.device)
                task.advance(len(part))

    def _prompts(self, sentences: Sequence[Sentence], present: frozenset[str], captions: bool) -> Prompts:
        """Return what the experts hear in evaluation: every usable sentence, or the generic prompts."""
        strange = sorted({s.group for s in sentences} - self._known_groups)
        if strange:
            raise InputError(
                f"A caption speaks of the attribute group {strange[0]!r}, which the model does not know",
                allowed=", ".join(sorted(self._known_groups)),
            )
        return select_prompts(
            sentences if captions else (),
            groups=self.groups,
            present=present,
            threshold=self.pretrained.architecture.caption_threshold,
        )

    def _subset_rows(
        self,
        tokens: Tokens,
        blank: Tokens | None,
        batch: Batch,
        part: Sequence[Observation],
        subset: frozenset[str],
        captions: bool,
    ) -> np.ndarray:
        """Return (B,width), the vectors with only a subset shown; zeros for those that have none of it."""
        columns = torch.tensor([name in subset for name in batch.modalities], device=self.device)
        some = (tokens.present & columns).any(dim=1)  # (B,)
        keep = columns | ~some[:, None]  # those with none are computed from what they have, then cleared
        prompts = tuple(self._prompts(o.captions, frozenset(o.modalities) & subset, captions) for o in part)
        shown = restricted(tokens, keep) if blank is None else zero_filled(tokens, blank, columns)
        output = self.model.describe(shown, replace(batch, prompts=prompts))
        return _numpy(output.embedding() * some[:, None])


def check_model_folder(folder: Path) -> None:
    """Tell a missing folder, or a run, from a model folder, before anything is loaded.

    Raises:
        InputError: there is no such folder, or it is the run around one.
    """
    if str(folder).startswith("builtin:"):
        raise InputError(
            f"{folder} is a backbone, not a trained model",
            allowed="RUN/model, as training writes it",
            do=f"train on it with `nextreid train --model.backbone {folder}`, or see what it knows without "
            f"training: `nextreid model probe --model {folder}`",
        )
    if not folder.is_dir():
        raise InputError(f"There is no model folder {folder}", allowed="RUN/model, as training writes it")
    if not (folder / "config.json").is_file() and (folder / "model" / "config.json").is_file():
        raise InputError(f"{folder} is a run, not a model folder", do=f"give {folder / 'model'}")


def _ids(observations: Sequence[Observation]) -> np.ndarray:
    return np.array([o.id or str(number) for number, o in enumerate(observations)])


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
