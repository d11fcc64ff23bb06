"""Find who looks most alike: embed observations and compare them, whatever images they have.

python examples/nearest.py run/model table.csv
"""

import sys

from nextreid import NextReID, load_manifest


def main(model_folder: str, table: str) -> None:
    """Print each observation's nearest other one."""
    model = NextReID.from_pretrained(model_folder, device="auto")
    manifest = load_manifest(table)
    embeddings = model.embed([row.to_observation() for row in manifest.rows])

    vectors = embeddings.vectors
    vectors = vectors / (vectors**2).sum(axis=1, keepdims=True) ** 0.5
    similarity = vectors @ vectors.T
    for at, row in enumerate(manifest.rows):
        similarity[at, at] = -1
        nearest = int(similarity[at].argmax())
        seen = "+".join(row.paths)
        found = manifest.rows[nearest].observation
        print(f"{row.observation} ({seen}) -> {found}, cosine {similarity[at, nearest]:.3f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
