"""Search images with words, without any training: the CLIP that comes with nextreid reads both.

    python examples/zero_shot.py table.csv "a woman in a red jacket" [backbone]

It knows rendered worlds only. For photographs name a CLIP that has seen some, for instance
openai/clip-vit-base-patch16.
"""

import sys

from nextreid import ImageTextReader, load_clip, load_manifest


def main(table: str, sentence: str, backbone: str = "builtin:clip-small") -> None:
    """Print the images that fit a sentence best."""
    reader = ImageTextReader.from_clip(load_clip(backbone), size=(192, 96))
    rows = [row for row in load_manifest(table).rows if "rgb" in row.paths]
    images = reader.images([row.to_observation() for row in rows], "rgb").classes
    similarity = images @ reader.sentences([sentence])[0]
    for at in (-similarity).argsort(kind="stable")[:5]:
        print(f"{rows[at].observation}, cosine {similarity[at]:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
