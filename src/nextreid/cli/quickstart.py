"""`nextreid quickstart`: a world, a model trained on it, honest scores, pictures; in some minutes."""

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nextreid.cli.recipes import FOLDER, configured, options_help
from nextreid.cli.stages import Scores, also_embed, score_everything
from nextreid.cli.terminal import Terminal
from nextreid.cli.train import train
from nextreid.cli.verb import Verb, cores
from nextreid.config import Config, Count, Share, check, option
from nextreid.configfile import Setting, replace
from nextreid.errors import CheckFailedError, InputError

if TYPE_CHECKING:
    from nextreid.data.manifest import Manifest

FILES = (
    "world/manifest.csv",
    "run/config.yaml",
    "run/metrics.csv",
    "run/model/model.safetensors",
    "results.json",
    "embeddings.npz",
    "samples.png",
    "curves.png",
    "ranks_best.png",
    "ranks_worst.png",
    "ranks_random.png",
)
"""What must be there at the end."""

OWN = ("world", "run", "results.json", "results.per_query.parquet", *(f for f in FILES if "/" not in f))
"""Names in the folder that a quickstart may replace."""


@dataclass(frozen=True)
class WorldConfig:
    """The world that is rendered."""

    kind: Literal["person", "vehicle"] = option("person", "what is in it", "ours")
    identities: Count = option(72, "in both splits together", "ours: 24 of them test")
    cameras: Count = option(3, "each sees every identity", "ours")
    per_camera: Count = option(3, "sightings an identity and camera", "ours: 216 queries")
    size: tuple[Count, Count] = option((192, 96), "height x width", "ours: for two cores")
    test_fraction: Share = option(0.34, "share of the identities", "ours")


@dataclass(frozen=True)
class QuickstartConfig:
    """Everything the quickstart does, in numbers."""

    bootstrap: Count = option(1000, "resamples for intervals", "usual")
    world: WorldConfig = field(default_factory=WorldConfig)
    run: Config = field(default_factory=Config)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("runs/quickstart"), help="folder (default: runs/quickstart)"
    )
    parser.add_argument(
        "--also-embed", metavar="D", type=Path, help="a data set of your own to embed at the end"
    )


@dataclass
class Clock:
    """Announces stages and takes their time."""

    terminal: Terminal
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Say that a stage begins, and how long it took."""
        started = time.monotonic()
        self.terminal.remark(f"[{len(self.seconds) + 1}/5] {title}")
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)
        self.terminal.remark(f"      {self.seconds[name]:.0f} s")


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.data.manifest import load_manifest
    from nextreid.evaluation.results.report import sealed

    out: Path = args.out
    config = _config(args)
    _clear(out)
    clock = Clock(terminal)
    with clock.stage("world", f"rendering {config.world.identities} {config.world.kind}s in three spectra"):
        manifest = _world(config.world, config.run.seed, out, args, terminal)
    with clock.stage("train", f"training NEXT from {config.run.model.backbone}"):
        run = replace(check(config.run), data__path=str(out / "world"))
        trained = train(
            run, manifest, out / "run", terminal=terminal, device=args.device, workers=args.workers
        )
    with clock.stage("evaluate", "evaluating on identities that were never trained on"):
        scores = score_everything(
            run,
            load_manifest(out / "world"),
            out,
            selection=trained.result.selection,
            device=args.device,
            bootstrap=config.bootstrap,
            terminal=terminal,
        )
    with clock.stage("pictures", "drawing samples, curves and rank lists"):
        _pictures(scores, manifest, out)
    with clock.stage("also_embed", "embedding other data"):
        extra = also_embed(args.also_embed, out, device=args.device, terminal=terminal)
    document = {**scores.document, "also_embedded": extra, "seconds": dict(clock.seconds)}
    scores.write(document, out / "results.json")
    missing = [name for name in FILES if not (out / name).is_file() or (out / name).stat().st_size == 0]
    if missing:
        raise CheckFailedError(f"The quickstart ended without {', '.join(missing)} in {out}.")
    scores.show(document, terminal)
    _show_files(out, extra, sum(clock.seconds.values()), terminal)
    terminal.result(sealed(document))
    return 0


def _config(args: argparse.Namespace) -> QuickstartConfig:
    more = [] if args.seed is None else [Setting("run.seed", args.seed, "option --seed")]
    return configured(
        QuickstartConfig,
        recipes=[FOLDER / "quickstart.yaml"],
        tokens=args.settings,
        more=more,
        options=("out", "also-embed"),
    )


def _clear(out: Path) -> None:
    """Remove what an earlier quickstart left.

    Raises:
        InputError: the folder holds something else.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file", do="name another folder with --out")
    if not out.exists():
        return
    others = sorted(path.name for path in out.iterdir() if path.name not in OWN)
    if others:
        raise InputError(
            f"{out} holds files that no quickstart made: {', '.join(others[:5])}",
            allowed="a new folder, or one of an earlier quickstart, which is replaced",
            do="name another folder with --out",
        )
    for name in OWN:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _world(
    config: WorldConfig, seed: int, out: Path, args: argparse.Namespace, terminal: Terminal
) -> "Manifest":
    from nextreid.data.manifest import load_manifest
    from nextreid.synthetic.world import write_world

    write_world(
        out / "world",
        kind=config.kind,
        identities=config.identities,
        cameras=config.cameras,
        per_camera=config.per_camera,
        seed=seed,
        size=config.size,
        test_fraction=config.test_fraction,
        workers=cores() if args.workers is None else args.workers,
        progress=terminal.progress,
    )
    return load_manifest(out / "world")


def _pictures(scores: Scores, manifest: "Manifest", out: Path) -> None:
    from nextreid.evaluation.curves import training_curves
    from nextreid.evaluation.pictures import rank_list_picture, sample_sheet

    sample_sheet(manifest, out / "samples.png")
    training_curves(out / "run" / "metrics.csv", out / "curves.png")
    rank_list_picture(scores.trained, manifest, which="best", out=out / "ranks_best.png")
    rank_list_picture(scores.trained, manifest, which="worst", out=out / "ranks_worst.png")
    rank_list_picture(scores.trained, manifest, which="random", out=out / "ranks_random.png")


def _show_files(out: Path, extra: dict[str, Any] | None, seconds: float, terminal: Terminal) -> None:
    lines = {
        "samples.png": "what the data looks like",
        "curves.png": "the losses",
        "ranks_best.png, ranks_worst.png, ranks_random.png": "queries and what was found for them",
        "results.json": "all numbers",
        "embeddings.npz": "vectors of the test split",
        "run/model": "the model, for NextReID.from_pretrained",
        "world": "the data",
    }
    terminal.text(f"\nIn {out}, after {seconds / 60:.1f} minutes:")
    for name, what in lines.items():
        terminal.text(f"  {name}: {what}")
    if extra and extra.get("embeddings"):
        terminal.text(f"  {extra['embeddings']}: vectors of {extra['data']}")


VERBS = (
    Verb(
        name="quickstart",
        summary="render a small world, train NEXT on it, evaluate it, and draw pictures of all that",
        example="nextreid quickstart",
        add_options=_add_options,
        run=_run,
        settings=True,
        details=lambda: options_help(QuickstartConfig),
    ),
)
