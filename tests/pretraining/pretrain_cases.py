"""What the tests of this room share: small options, a run from the command line, packs that are made up."""

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nextreid.attributes.schema import load_schema
from nextreid.cli.main import main
from nextreid.pretraining.drawing import UNSEEN, Drawer
from nextreid.pretraining.pack import MODALITIES, Pack
from nextreid.pretraining.sentences import Text, Vocabulary
from nextreid.synthetic.kinds import load_kind
from nextreid.training.metrics import read_metrics

WORLDS = {"count": 1, "identities": 10, "cameras": 2, "per_camera": 1}
"""20 observations of each kind, 60 pictures."""

SMALL = shlex.split(
    "--world.count 1 --world.identities 10 --world.cameras 2 --train.steps 12 --train.checkpoint_every 5 "
    "--train.precision fp32 --train.reading 6 --loss.pictures 8 --loss.texts 8 --model.stem [8,12,16,24] "
    "--model.width 48 --model.heads 3 --model.mlp 96 --model.layers 2 --model.text_width 64 "
    "--model.text_layers 1 --model.projection 32"
)
"""Options of a run of about a second."""

SMALL_TOWERS = {
    "projection_dim": 32,
    "vision_config": {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 64,
        "patch_size": 16,
    },
    "text_config": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "max_position_embeddings": 77,
    },
}


def words_of(out: Path, worlds: Path, *more: str) -> list[str]:
    """Return the command line of a small run; a later option wins over an earlier one."""
    return ["pretrain", "--out", str(out), "--worlds", str(worlds), "--device", "cpu", *SMALL, *more]


def pretrain(out: Path, worlds: Path, *more: str) -> int:
    """Run it here and return the exit code."""
    return main([*words_of(out, worlds, *more), "--quiet"])


def sha256(run: Path) -> str:
    """Return the hash of the weights that a run left."""
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def untimed(run: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv without what differs from run to run."""
    rows = read_metrics(run / "metrics.csv")
    return [{name: cell for name, cell in row.items() if name != "seconds"} for row in rows]


def vocabulary(kind: str) -> Vocabulary:
    return Vocabulary(load_schema(kind), load_kind(kind).evidence)


def random_truth(words: Vocabulary, rows: int, rng: np.random.Generator, *, known: float = 0.8):
    """Draw truth tables (rows, V): of each attribute one value, or none."""
    truth = np.zeros((rows, len(words.columns)), bool)
    at = 0
    for attribute in words.schema.attributes:
        seen = rng.random(rows) < known
        truth[np.arange(rows), at + rng.integers(len(attribute.values), size=rows)] = seen
        at += len(attribute.values)
    return truth


def made_up_pack(kind: str, count: int, *, size: tuple[int, int] = (64, 48), seed: int = 0) -> Pack:
    """Return a pack in memory: blocks of random parts, and pictures that show the mask's own numbers."""
    rng = np.random.default_rng(seed)
    schema, table = load_schema(kind), load_kind(kind).table
    numbers = np.array([0, *(table.number(name) for name in table.names), 255], np.uint8)
    height, width = size
    blocks = numbers[rng.integers(len(numbers), size=(count, 3, height // 8, width // 8))]
    masks = blocks.repeat(8, axis=2).repeat(8, axis=3)
    values = np.stack(
        [rng.integers(-1, len(a.values), size=(count, 3), dtype=np.int8) for a in schema.attributes], axis=2
    )
    visible = (rng.random(values.shape) < 0.6) & (values >= 0)
    return Pack(
        folder=Path("nowhere"),
        kind=kind,
        schema=schema,
        pixels=np.repeat(masks[..., None], 3, axis=-1),
        masks=masks,
        values=values,
        visible=visible,
    )


def drawer_of(*packs: Pack, modalities: tuple[str, ...] = MODALITIES, **more: int) -> Drawer:
    options = {"patch": 16, "pictures": 6, "texts": 8, "strangers": 3, "seed": 5} | more
    return Drawer(packs, modalities=modalities, **options)


def shown(pack: Pack, row: int, m: int) -> dict[str, str]:
    """Return attribute -> value of what one picture shows, by looking each one up."""
    found = {}
    for a, attribute in enumerate(pack.schema.attributes):
        if pack.values[row, m, a] >= 0 and pack.visible[row, m, a]:
            found[attribute.name] = attribute.values[pack.values[row, m, a]]
    return found


def is_true(text: Text, known: Mapping[str, str]) -> bool:
    return all(known.get(name) == value for name, value in text.states)


def weight_of(text: Text, known: Mapping[str, str]) -> float:
    """Return what a pair counts: little where the picture does not show all that the text speaks of."""
    return 1.0 if all(name in known for name, _ in text.states) else UNSEEN


def frequency_of(text: Text, pictures: Sequence[Mapping[str, str]]) -> float:
    """Return how often a text is true, counted as its pairs are."""
    weights = [weight_of(text, known) for known in pictures]
    return sum(is_true(text, known) for known in pictures) / sum(weights)


def pronoun_of(text: str) -> str | None:
    """Return he or she if a text says so."""
    found = set(re.findall(r"\b(he|she)\b", text.lower()))
    assert len(found) <= 1, text
    return found.pop() if found else None


class Spy:
    """Stands in for a method: calls it and remembers what it was given and gave back."""

    def __init__(self, method) -> None:
        self.method, self.calls = method, []

    def __call__(self, *arguments, **keywords):
        result = self.method(*arguments, **keywords)
        self.calls.append((arguments, result))
        return result
