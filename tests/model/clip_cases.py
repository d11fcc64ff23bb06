"""A small CLIP folder and its notes, for the tests of what is saved, shipped and loaded."""

from nextreid.model.backbone import load_clip
from nextreid.model.clip_folder import save_clip
from nextreid.model.pretraining_notes import PretrainingNotes

CORPUS = ("a woman in a red jacket with blue jeans", "a man carrying a black backpack", "short curly hair")

WORLDS = (
    {"kind": "person", "seed": "a", "identities": 12, "observations": 96, "size": [192, 96]},
    {"kind": "vehicle", "seed": "b", "identities": 7, "observations": 14, "size": [96, 192]},
)


def make_notes(**changes):
    values = {
        "command": "nextreid pretrain --out clip --seed 5",
        "seed": 5,
        "steps": 1200,
        "images_seen": 76800,
        "seconds": 61.4,
        "hardware": "two cores of a laptop",
        "versions": {"nextreid": "0.1", "torch": "2.9"},
        "worlds": WORLDS,
        "left_out": None,
        "class_token_only": False,
        "settings": {"optimizer": "AdamW", "rate": 0.001},
        "loss": [[1, 3.0, 2.0, 1.0], [1200, 0.75, 0.5, 0.25]],
    }
    return PretrainingNotes(**(values | changes))


def make_folder(folder, *, half=True, **changes):
    return save_clip(load_clip("builtin:tiny", corpus=CORPUS), folder, half=half, notes=make_notes(**changes))
