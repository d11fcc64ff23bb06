"""The model card of a CLIP that `nextreid pretrain` made, written from its notes and nothing else."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nextreid.model.pretraining_notes import PretrainingNotes


def model_card(notes: PretrainingNotes) -> str:
    """Return the text of README.md, in Markdown with the front matter of a model hub."""
    kinds = sorted({str(world.get("kind", "object")) for world in notes.worlds})
    return f"""---
license: mit
library_name: nextreid
tags: [clip, re-identification, multi-modal, synthetic]
---
# A small CLIP made on synthetic worlds

Image and text towers of CLIP with a tokenizer of their own, trained from random weights on rendered
{_listed(kinds)} observations in {_listed(notes.saw)}, with sentences written from the
renderer's truth.

**It is a test-bench model. It has never seen a real camera**, nor a real person, vehicle or street.
It exists so that everything built on a text-aligned backbone runs, and can be tested, without network.

## How it was made

Made by this project, from its own synthetic worlds; no other images, sentences or weights went in.

    {notes.command}

{_table(_facts(notes))}

Trained on:

{_worlds(notes.worlds)}

Settings:

{_table(notes.settings)}

Versions: {", ".join(f"{name} {version}" for name, version in notes.versions.items())}.

{_loss(notes.loss)}

## Use

```python
from nextreid.model.backbone import load_clip

clip = load_clip("this/folder")
```

{_reading(notes)}

Pixels go in as `(value / 255 - 0.5) / 0.5`, at the sizes above; infrared and thermal images as three equal
channels.

Meant for: tests, tutorials and experiments without network; a start for training on synthetic worlds;
the control of experiments on how text guides an expert.

Not meant for: identifying or describing real people or vehicles, surveillance, or any decision about
anyone. For real images take a published CLIP, and measure it on your own data.

## Known limits

- It knows the words of nextreid's attribute schemas ({_listed(kinds)}); other words mean little to it.
- It knows the shapes, colours and temperatures that the renderer draws. Its figures on rendered images
  say nothing about real ones.
- Gender, age and the like are labels of rendered figures, a few coarse values each; applied to real people
  they would be guesses, and unfair ones.
- It sees small images; what fills a few pixels is mostly lost.
{_limits(notes)}
## Licence

MIT, as the code of nextreid.
"""


def _reading(notes: PretrainingNotes) -> str:
    """Say what else reads the folder: `transformers` knows linear patches only."""
    if notes.settings.get("model.stem"):
        return (
            "Convolutions make its patches (`vision_config.stem`), which `transformers` does not know: read\n"
            "it with nextreid, not with `CLIPModel.from_pretrained`. `AutoTokenizer` reads the tokenizer."
        )
    return "`transformers.CLIPModel.from_pretrained` and `AutoTokenizer.from_pretrained` read the folder too."


def _facts(notes: PretrainingNotes) -> dict[str, Any]:
    dense = "no: class token only" if notes.class_token_only else "yes"
    lesson = notes.settings.get("train.reading")
    return {
        "seed": notes.seed,
        "steps": f"{notes.steps:,}",
        "images seen": f"{notes.images_seen:,}",
        "wall time": f"{notes.seconds:,.0f} s",
        "hardware": notes.hardware,
        "text tower": f"taught first, from the renderer's truth, {lesson} steps; then kept"
        if lesson
        else "trained",
        "left out": notes.left_out or "no modality",
        "dense term (patches against the sentence of their part)": dense,
        "weights chosen": notes.selection,
        "SHA-256 of model.safetensors": f"`{notes.weights_sha256}`" if notes.weights_sha256 else "",
    }


def _worlds(worlds: Sequence[Mapping[str, Any]]) -> str:
    """Return a table with a column for every key that some world has, in the order of appearance.

    Worlds of successive seeds that are alike otherwise share a row.
    """
    keys = list(dict.fromkeys(key for world in worlds for key in world))
    if not keys:
        return "nothing is recorded."
    rows: list[list[Mapping[str, Any]]] = []
    for world in worlds:
        if rows and _follows(world, rows[-1][-1]):
            rows[-1].append(world)
        else:
            rows.append([world])
    lines = [" | ".join(["worlds", *keys]), " | ".join("---" for _ in ["worlds", *keys])]
    for row in rows:
        first, last = row[0], row[-1]
        cells = {key: _cell(first.get(key, "")) for key in keys}
        if len(row) > 1:
            cells["seed"] = f"{first['seed']} to {last['seed']}"
        if "size" in first:
            cells["size"] = "x".join(map(str, first["size"]))
        lines.append(" | ".join([str(len(row)), *cells.values()]))
    return "\n".join(f"| {line} |" for line in lines)


def _follows(world: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    """Tell whether a world has the next seed, and all else alike."""
    seeds = world.get("seed"), last.get("seed")
    if not all(isinstance(seed, int) for seed in seeds):
        return False
    return dict(world) == {**last, "seed": last["seed"] + 1}


def _loss(loss: Sequence[Sequence[float]]) -> str:
    if not loss:
        return "The loss was not recorded."
    first, last = loss[0], loss[-1]
    return (
        f"Loss: {first[1]:.4f} at step {int(first[0])}, {last[1]:.4f} at step {int(last[0])}; the whole "
        "curve is in `pretraining.json`."
    )


def _limits(notes: PretrainingNotes) -> str:
    lines = []
    if notes.left_out:
        lines.append(f"- It has never seen a {notes.left_out} image; that is what it is for.")
    if notes.class_token_only:
        lines.append("- Its patch tokens were never compared with text: it does not point at what is named.")
    return "\n".join([*lines, ""])


def _table(values: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {key} | {_cell(value)} |" for key, value in values.items())
    return f"| | |\n|---|---|\n{rows}"


def _cell(value: Any) -> str:
    """Return a value for a table: plain, on one line, its bars escaped."""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    elif isinstance(value, Mapping):
        value = json.dumps(dict(value))
    return " ".join(str(value).split()).replace("|", "\\|")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
