"""Which models describe the images: the options that name them, and the backends made from these."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.synth import size
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import whole_number
from nextreid.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nextreid.attributes.schema import Schema
    from nextreid.captions.answers import Backend
    from nextreid.captions.backends.zero_shot import ZeroShotBackend
    from nextreid.data.manifest import Manifest, Row
    from nextreid.embedding.reader_source import LoadedReader

BACKENDS = ("clip", "openai", "transformers", "replay", "simulated")

DEFAULT_MODEL = {"clip": "builtin:clip-small", "simulated": "default"}
"""Models of the backends that need none to be named."""

ONLY_FOR = {
    "--base-url": ("openai",),
    "--timeout": ("openai",),
    "--max-side": ("openai", "transformers"),
    "--size": ("clip",),
    "--temperature": ("clip",),
    "--noise": ("simulated",),
    "--noise-scale": ("simulated",),
}
"""Options that some backends alone read: given with another they would do nothing, which is an error."""


def add_backend_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name backend and models."""
    group = parser.add_argument_group("models")
    group.add_argument(
        "--backend", choices=BACKENDS, default="clip", help="default: clip, which needs no server"
    )
    group.add_argument(
        "--model",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="one or several. clip: builtin:NAME, hub id, folder or RUN/model (default: builtin:clip-small); "
        "openai: a name on the server; transformers: folder or hub id; replay: a caption set, its "
        "answers.jsonl or a folder of published captions; simulated: a model of the noise file (default: "
        "default)",
    )
    group.add_argument(
        "--base-url",
        metavar="URL",
        help="openai: the server, e.g. http://localhost:8000/v1 (default: OPENAI_BASE_URL, or OpenAI's own); "
        "the key comes from OPENAI_API_KEY",
    )
    group.add_argument(
        "--timeout", type=whole_number(1), metavar="SECONDS", help="openai: of one request (default: 120)"
    )
    group.add_argument(
        "--max-side",
        type=whole_number(1),
        metavar="PIXELS",
        help="openai, transformers: shrink larger images (default: as they are)",
    )
    group.add_argument(
        "--size", type=size, help="clip: input of a bare CLIP (default: persons 192x96, vehicles 96x192)"
    )
    group.add_argument(
        "--temperature",
        type=Path,
        metavar="FILE",
        help="clip: temperatures of other models, from benchmarks/clip_temperature.py (default: the shipped)",
    )
    group.add_argument(
        "--noise", type=Path, metavar="FILE", help="simulated: noise model (default: the shipped)"
    )
    group.add_argument(
        "--noise-scale",
        type=_factor,
        metavar="X",
        help="simulated: factor on errors and omissions (default: 1)",
    )


def make_backends(
    args: argparse.Namespace, schema: "Schema", manifest: "Manifest", terminal: Terminal
) -> "list[Backend]":
    """Return the backends that the options name, one a model (a replayed log may hold several), in order.

    Args:
        args: with the options of `add_backend_options`, `device` and `seed`.
        schema: what is asked.
        manifest: the data set; a simulated backend reads its truth.
        terminal: for remarks.

    Raises:
        InputError: an option that the backend does not read, no model where one is needed, one named twice,
            or a model that cannot be loaded.
        MissingExtraError: the backend needs a package that is not installed.
    """
    _check_options(args)
    named = args.model or [DEFAULT_MODEL[args.backend]]
    backends = [one for name in named for one in _made(name, args, schema, manifest, terminal)]
    names = [backend.model for backend in backends]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"option --model: {', '.join(twice)} is named twice", allowed="each model once")
    return backends


def _made(
    name: str, args: argparse.Namespace, schema: "Schema", manifest: "Manifest", terminal: Terminal
) -> "Sequence[Backend]":
    """Return the backends of one model."""
    if args.backend == "replay":
        return _replay(name, schema, manifest)
    if args.backend == "openai":
        return [_openai(name, args, schema)]
    if args.backend == "transformers":
        return [_transformers(name, args, schema)]
    if args.backend == "simulated":
        return [_simulated(name, args, schema, manifest)]
    return [_clip(name, args, schema, terminal)]


def _check_options(args: argparse.Namespace) -> None:
    for option, backends in ONLY_FOR.items():
        given = getattr(args, option.removeprefix("--").replace("-", "_"))
        if given is not None and args.backend not in backends:
            raise InputError(
                f"option {option} has no effect with --backend {args.backend}",
                allowed=f"with --backend {' or '.join(backends)}",
            )
    if not args.model and args.backend not in DEFAULT_MODEL:
        raise InputError(
            f"--backend {args.backend} needs a model",
            allowed="one --model or more",
            do="name it with --model",
        )


def _clip(name: str, args: argparse.Namespace, schema: "Schema", terminal: Terminal) -> "ZeroShotBackend":
    from nextreid.captions.backends.temperature import (
        UNFITTED,
        find_temperature,
        read_temperatures,
        shipped_temperatures,
    )
    from nextreid.embedding.reader_source import load_reader

    loaded = load_reader(name, schema=schema, size=args.size, device=args.device, seed=args.seed or 0)
    if loaded.kind not in (None, schema.kind):
        terminal.warn(
            f"{name} was made for {loaded.kind} observations; these are {schema.kind} observations."
        )
    known = read_temperatures(args.temperature) if args.temperature else shipped_temperatures()
    fitted = find_temperature(known, weights_sha256=loaded.sha256, kind=schema.kind)
    if fitted is None and args.temperature:
        raise InputError(
            f"option --temperature: {args.temperature} has nothing for the weights of {name} and "
            f"{schema.kind} observations",
            allowed=", ".join(f"{entry.model} ({entry.kind})" for entry in known) or "it is empty",
            do=f"python benchmarks/clip_temperature.py --model {name} --out {args.temperature}",
        )
    if fitted is None:
        terminal.warn(
            f"No temperature was fitted for {name} and {schema.kind} observations: its confidences are far "
            "from what they are worth. `nextreid caption calibrate` corrects them on labelled data."
        )
    elif fitted.size != loaded.reader.size:
        fit, used = (f"{height}x{width}" for height, width in (fitted.size, loaded.reader.size))
        terminal.warn(
            f"{name} looks at images of {used}, but its temperatures were fitted at {fit}: its answers and "
            f"confidences are worth less than there. Leave --size out, or fit them anew."
        )
    modalities = list(dict.fromkeys(name for attribute in schema.attributes for name in attribute.observable))
    temperature = {one: fitted.of(one) if fitted else UNFITTED for one in modalities}
    return zero_shot(loaded, schema, temperature)


def zero_shot(loaded: "LoadedReader", schema: "Schema", temperature: "dict[str, float]") -> "ZeroShotBackend":
    """Return the zero-shot backend of a model.

    Args:
        loaded: reads images and sentences.
        schema: the attributes.
        temperature: modality -> temperature.
    """
    from nextreid.attributes.prompts import prompt_vectors
    from nextreid.captions.backends.zero_shot import ZeroShotBackend

    reader = loaded.reader
    return ZeroShotBackend(
        schema,
        image_encoder(loaded),
        prompt_vectors(schema, reader.sentences),
        temperature,
        model=f"clip:{_short(loaded.source)}",
        encoder=f"{loaded.sha256} {reader.size[0]}x{reader.size[1]}",
    )


def image_encoder(loaded: "LoadedReader") -> "Callable[[Sequence[Row], str], NDArray[Any]]":
    """Return what turns rows into (n,D) vectors of one modality's images."""
    import numpy as np

    def encode(rows: "Sequence[Row]", modality: str) -> "NDArray[Any]":
        stream = loaded.reader.stream(
            [row.to_observation() for row in rows], modality, places=[row.place for row in rows]
        )
        return np.concatenate([tokens.classes for tokens in stream])

    return encode


def _openai(name: str, args: argparse.Namespace, schema: "Schema") -> "Backend":
    from nextreid.captions.backends.openai_server import TIMEOUT, OpenAIBackend

    timeout = args.timeout or TIMEOUT
    return OpenAIBackend(schema, name, base_url=args.base_url, max_side=args.max_side, timeout=timeout)


def _transformers(name: str, args: argparse.Namespace, schema: "Schema") -> "Backend":
    from nextreid.captions.backends.vision_language import load_vision_language
    from nextreid.embedding.embedder import choose_device

    return load_vision_language(name, schema, device=str(choose_device(args.device)), max_side=args.max_side)


def _replay(name: str, schema: "Schema", manifest: "Manifest") -> "Sequence[Backend]":
    from nextreid.captions.backends.replay import replay_backends

    return replay_backends(schema, name, manifest)


def _simulated(name: str, args: argparse.Namespace, schema: "Schema", manifest: "Manifest") -> "Backend":
    from nextreid.captions.backends.simulated import SimulatedBackend, load_noise
    from nextreid.captions.truth import read_truth

    return SimulatedBackend(
        schema,
        read_truth(manifest, schema),
        model=name,
        scale=1.0 if args.noise_scale is None else args.noise_scale,
        seed=args.seed or 0,
        noise=load_noise(args.noise),
    )


def _short(source: str) -> str:
    """Return a model's name for provenance: a folder by its last two names, RUN/model."""
    path = Path(source)
    return "/".join(path.resolve().parts[-2:]) if path.is_dir() else source


def _factor(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number, 0 or more")
    return number
