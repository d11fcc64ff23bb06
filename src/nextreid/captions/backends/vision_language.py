"""A local vision-language model, read by `transformers` from a folder or the hub's cache.

The only file of the captions that knows torch; it is loaded when such a model is.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from PIL import Image

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question, Reply
from nextreid.captions.backends.token_confidence import value_confidence
from nextreid.captions.prompting import instructions
from nextreid.data.images import read_image
from nextreid.errors import InputError, MissingExtraError, NextReidError
from nextreid.hub import cached_model, hub_answers

MOST_TOKENS = 1024
"""Tokens of an answer at most: ours, twice what a vehicle's 25 attributes take."""

FORM = 1
"""Raised when the same inputs would give other answers."""


class VisionLanguageBackend:
    """Asks a local model, one image at a time, and takes the likeliest word each time.

    A padded batch would make an answer depend on the other images in it. A `captions.answers.Backend`;
    use `load_vision_language` to make one.

    Args:
        schema: the attributes.
        model: the name in logs and provenance, e.g. `transformers:Qwen/Qwen2.5-VL-3B-Instruct`.
        network: a `transformers` model that generates text from images.
        processor: its processor.
        weights: hash of its weights, to tell them from others of that name.
        max_side: longer side in pixels that images are shrunk to, or None for as they are.
        most_tokens: of an answer.

    Raises:
        InputError: a side or a number of tokens below 1.
    """

    parallel = False
    from_truth = False
    batch = 1

    def __init__(
        self,
        schema: Schema,
        *,
        model: str,
        network: Any,
        processor: Any,
        weights: str = "",
        max_side: int | None = None,
        most_tokens: int = MOST_TOKENS,
    ) -> None:
        if most_tokens < 1 or (max_side is not None and max_side < 1):
            raise InputError(f"max_side = {max_side}, most_tokens = {most_tokens}", allowed="1 or more")
        self.model, self.schema = model, schema
        self.max_side, self.most_tokens = max_side, most_tokens
        self._network, self._processor = network, processor
        self._attributes = tuple(attribute.name for attribute in schema.attributes)
        shown = sorted({name for attribute in schema.attributes for name in attribute.observable})
        told = {
            "form": FORM,
            "model": model,
            "weights": weights,
            "schema": schema.to_dict(),
            "prompts": [instructions(schema, name) for name in shown],
            "max_side": max_side,
            "most_tokens": most_tokens,
        }
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order; a failure is a reply.

        Raises:
            ImageError: an image that cannot be read; it names row and file.
        """
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Reply:
        started = perf_counter()
        row, modality = question.row, question.modality
        pixels = read_image(row.paths[modality], box=row.boxes.get(modality), where=row.where(modality))
        try:
            pieces, asked = self._generate(self._shrunk(pixels), instructions(self.schema, modality))
        except (RuntimeError, ValueError, TypeError) as error:  # out of memory; an image that it cannot take
            reason = f"{type(error).__name__}: {_sentence(error)}"
            return Reply("failed", error=reason, seconds=perf_counter() - started)
        return Reply(
            "answered",
            raw="".join(text for text, _ in pieces),
            token_confidence=value_confidence(pieces, self._attributes),
            input_tokens=asked,
            output_tokens=len(pieces),
            seconds=perf_counter() - started,
        )

    def _shrunk(self, pixels: Any) -> Image.Image:
        image = Image.fromarray(pixels)
        if self.max_side is not None and max(image.size) > self.max_side:
            image.thumbnail((self.max_side, self.max_side), Image.Resampling.LANCZOS)
        return image

    def _generate(self, image: Image.Image, text: str) -> tuple[list[tuple[str, float]], int]:
        """Return the answer as (token, logarithm of its probability), and the tokens of the question."""
        import torch

        heard = _Logarithms()
        inputs = self._inputs(image, text).to(self._network.device, dtype=self._network.dtype)
        with torch.inference_mode():
            written = self._network.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                max_new_tokens=self.most_tokens,
                logits_processor=[heard],
            )[0]
        asked = int(inputs["input_ids"].shape[1])
        start = 0 if self._network.config.is_encoder_decoder else asked
        return self._pieces(written[start:].tolist(), heard.values), asked

    def _inputs(self, image: Image.Image, text: str) -> Any:
        """Return the question as tensors: in the model's chat form, or image and text where it has none."""
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
            return self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        token = getattr(self._processor, "image_token", "")
        prompt = f"{token}\n{text}\n" if token else text
        return self._processor(images=image, text=prompt, return_tensors="pt")

    def _pieces(self, ids: list[int], logarithms: list[float]) -> list[tuple[str, float]]:
        """Return what each token adds to the text. Word pieces are read together: alone they lose blanks."""
        decode = self._processor.tokenizer.decode
        pieces, before = [], ""
        for count, logarithm in zip(range(1, len(ids) + 1), logarithms, strict=False):
            text = decode(ids[:count], skip_special_tokens=True)
            if text.startswith(before):
                pieces.append((text[len(before) :], logarithm))
                before = text
            else:  # half a letter: it is whole with the next token
                pieces.append(("", logarithm))
        return pieces


class _Logarithms:
    """Keeps the logarithm of the likeliest token's probability, which is the one that is taken."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Look at (1,V) scores and hand them on."""
        self.values.append(float(scores.float().log_softmax(dim=-1).amax(dim=-1)[0]))
        return scores


def load_vision_language(
    source: str | Path,
    schema: Schema,
    *,
    device: str = "cpu",
    max_side: int | None = None,
    most_tokens: int = MOST_TOKENS,
) -> VisionLanguageBackend:
    """Load a model and its processor.

    Code that comes with a checkpoint is never run, and weights are read from safetensors only. The hub is
    asked once; where it does not answer, its cache on this machine is read.

    Args:
        source: a folder in Hugging Face form, or a hub id.
        schema: the attributes.
        device: a torch device, e.g. cpu, cuda.
        max_side, most_tokens: as for `VisionLanguageBackend`.

    Raises:
        MissingExtraError: a processor that needs a package which is not installed; it is named.
        InputError: no such model, one that does not take images and text, or damaged files.
    """
    from transformers import AutoModelForImageTextToText

    place, where = _place(source)
    processor = _processor(source, place, where)
    try:
        network = AutoModelForImageTextToText.from_pretrained(
            place, use_safetensors=True, dtype="auto" if device != "cpu" else "float32", **where
        )
    except Exception as error:  # whatever a damaged or foreign file makes three libraries raise
        raise _cannot(source, "model", error) from error
    return VisionLanguageBackend(
        schema,
        model=f"transformers:{Path(source).resolve().name if Path(source).is_dir() else source}",
        network=network.to(device).eval(),
        processor=processor,
        weights=_sha256(network),
        max_side=max_side,
        most_tokens=most_tokens,
    )


def _sha256(network: Any) -> str:
    """Return the SHA-256 of a model's weights as loaded, by name: seconds a gigabyte, once a run."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _place(source: str | Path) -> tuple[str, dict[str, Any]]:
    """Return what transformers is to look for, and how."""
    if Path(source).is_dir():
        return str(source), {"local_files_only": True, "trust_remote_code": False}
    name = str(source)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise InputError(
            f"There is no folder {name} with a vision-language model",
            allowed="a folder, or owner/name of the hub",
        )
    if hub_answers(name):
        return name, {"trust_remote_code": False}
    return str(cached_model(name)), {"local_files_only": True, "trust_remote_code": False}


def _processor(source: str | Path, place: str, where: dict[str, Any]) -> Any:
    from transformers import AutoImageProcessor, AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(place, **where)
        if getattr(processor, "tokenizer", None) is None or not hasattr(processor, "image_processor"):
            # AutoProcessor then hands out a bare tokenizer, and does not say what kept it from the rest
            AutoImageProcessor.from_pretrained(place, **where)
            raise InputError(
                f"{source} has no processor that takes both images and text",
                allowed="a vision-language model with its processor's files",
            )
    except InputError:
        raise
    except Exception as error:  # as in load_vision_language
        raise _cannot(source, "processor", error) from error
    return processor


def _cannot(source: str | Path, part: str, error: Exception) -> NextReidError:
    """Return what to raise: a package that is not installed is named, wherever in the chain it was found."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ImportError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return MissingExtraError(
            f"The {part} of {source} needs a package that is not installed: {_sentence(cause)} What to do: "
            "install what it names (`pip install torchvision` for Torchvision), or take a model that does "
            "without it."
        )
    return InputError(
        f"The vision-language model {source} cannot be loaded ({_sentence(error)})",
        allowed="a folder or hub id of a model for image-text-to-text, with safetensors and a processor, "
        "that needs no code of its own",
        do="check the name and the files" if Path(source).is_dir() else "check the name and the network",
    )


def _sentence(error: BaseException) -> str:
    """Return the first sentence of what an exception says, 300 letters at most."""
    words = " ".join(str(error).split()) or type(error).__name__
    return re.split(r"(?<=[.!?])\s", words, maxsplit=1)[0][:300]
