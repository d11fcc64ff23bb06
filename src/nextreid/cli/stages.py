"""The quickstart's scores: the trained model, its controls, and what each modality gives alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.embed import embed_rows
from nextreid.cli.terminal import Terminal
from nextreid.config import Config
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.data.manifest import Manifest
    from nextreid.evaluation.evaluate import Evaluation

PROTOCOL = "cross-camera"


@dataclass(frozen=True, eq=False)
class Scores:
    """What came out.

    Attributes:
        trained: the trained model with generic prompts.
        document: the content of results.json.
    """

    trained: "Evaluation"
    document: dict[str, Any]

    def write(self, document: Mapping[str, Any], out: Path) -> None:
        """Write results.json and the per-query table beside it."""
        from nextreid.evaluation.results.report import write_results

        write_results(document, self.trained.ranking, out)

    def show(self, document: Mapping[str, Any], terminal: Terminal) -> None:
        """Print the tables."""
        from nextreid.evaluation.results.report_markdown import all_scores, gains_table

        table = all_scores(document, title="trained")
        queries = document["queries"]
        terminal.table(
            f"\nNEXT on {queries['valid']} queries of the synthetic test split, {PROTOCOL}, percent",
            table.header,
            table.rows,
        )
        told = document["with_captions_from_truth"]["metrics"]
        terminal.text(
            f"With captions written from the truth, which describe the answer: mAP {told['mAP']:.1%}, "
            f"Rank-1 {told['rank1']:.1%} (all rows above use generic prompts)"
        )
        terminal.text(
            "caption-words-of-truth: those captions as bags of words, without the model and without a pixel."
        )
        gains = gains_table(document)
        terminal.table("\nTrained, all modalities, minus ..., points", gains.header, gains.rows)
        terminal.text(
            "M(x): x absent in query and gallery. A synthetic world shows that the machinery works;"
        )
        terminal.text("it says nothing about accuracy on real data.")


def score_everything(
    config: Config,
    manifest: "Manifest",
    out: Path,
    *,
    selection: str,
    device: str,
    bootstrap: int,
    terminal: Terminal,
) -> Scores:
    """Score the trained model in OUT/run against its untrained start and colour histograms.

    Writes OUT/embeddings.npz. Every row uses generic prompts but the one labelled otherwise.
    """
    from nextreid.attributes.schema import Schema
    from nextreid.build import untrained_model
    from nextreid.captions.sentences import captions_of
    from nextreid.embedding.embedder import NextReID, each_subset
    from nextreid.evaluation.controls import caption_words, colour_histogram
    from nextreid.evaluation.evaluate import evaluate_branches, evaluate_embeddings
    from nextreid.evaluation.results.provenance import Source, training_of
    from nextreid.evaluation.results.report import Control, results_document
    from nextreid.evaluation.scenarios.missing import missing_entry, missing_modalities
    from nextreid.evaluation.statistics import paired_differences
    from nextreid.model.pretrained import weights_sha256

    test = manifest.split("test")
    folder = out / "run" / "model"
    trained_model = NextReID.from_pretrained(folder, device=device)
    schema = Schema.from_dict(trained_model.pretrained.architecture.schema)
    generic = captions_of(manifest, "none", schema, truth=False)
    told = captions_of(manifest, "auto", schema, truth=True)

    vectors = embed_rows(
        trained_model, test.rows, generic, terminal=terminal, subsets=each_subset(test.modalities)
    )
    vectors.save(out / "embeddings.npz")

    def score(embeddings: Any) -> "Evaluation":
        return evaluate_embeddings(
            embeddings, manifest, protocol=PROTOCOL, bootstrap=bootstrap, seed=config.seed
        )

    trained = score(vectors)
    start = NextReID(untrained_model(config, manifest), device=device)
    untrained = score(embed_rows(start, test.rows, generic, terminal=terminal))
    histogram = score(colour_histogram(test, progress=terminal.progress))
    words = score(caption_words(test, told.sentences))
    captioned = score(embed_rows(trained_model, test.rows, told, terminal=terminal))

    def control(name: str, other: "Evaluation") -> Control:
        gain = paired_differences(trained.ranking, other.ranking, samples=bootstrap, seed=config.seed)
        return Control(name, other, gain)

    data = Source(path=str(out / "world"), sha256=manifest.sha256, name=manifest.name)
    document = results_document(
        trained,
        data=data,
        selection=selection,
        model=Source(path=str(folder), sha256=weights_sha256(folder)),
        embeddings=Source.beside(out / "embeddings.npz", out / "results.json"),
        scenarios={
            "missing": missing_entry(
                missing_modalities(vectors, manifest, full=trained, progress=terminal.progress)
            )
        },
        branches=evaluate_branches(vectors, manifest, full=trained),
        controls=[
            control("untrained", untrained),
            control("colour-histogram", histogram),
            control("caption-words-of-truth", words),
        ],
        settings={"captions": generic.source},
        training=training_of(folder),
        device=str(trained_model.device),
    )
    with_captions = results_document(captioned, data=data, selection=selection)
    document["with_captions_from_truth"] = {
        "captions": told.source,
        "warning": "these captions were written from the world's truth and describe the answer",
        "metrics": with_captions["metrics"],
    }
    return Scores(trained, document)


def also_embed(data: Path | None, out: Path, *, device: str, terminal: Terminal) -> dict[str, Any] | None:
    """Embed another data set with the new model, and say how its images find each other.

    Args:
        data: a data set, or None. One that does not exist is only remarked upon.
        out: the quickstart's folder; vectors go to `run/also_embedded.npz`.
        device: as everywhere.
        terminal: for remarks.
    """
    from nextreid.captions.sentences import Captions
    from nextreid.data.manifest import load_manifest
    from nextreid.embedding.embedder import NextReID
    from nextreid.evaluation.evaluate import evaluate_embeddings

    if data is None:
        terminal.remark("      no other data was given (--also-embed D)")
        return None
    if not data.exists():
        terminal.remark(f"      {data} does not exist; nothing embedded")
        return {"data": str(data), "observations": 0, "embeddings": None}
    manifest = load_manifest(data)
    reader = NextReID.from_pretrained(out / "run" / "model", device=device)
    vectors = embed_rows(reader, manifest.rows, Captions(), terminal=terminal)
    vectors.save(out / "run" / "also_embedded.npz")
    if len(vectors) != len(manifest.rows):
        raise InputError(f"{len(manifest.rows)} observations gave {len(vectors)} vectors")
    entry = {
        "data": str(data),
        "observations": len(vectors),
        "embeddings": "run/also_embedded.npz",
        "width": int(vectors.vectors.shape[1]),
    }
    try:
        scored = evaluate_embeddings(vectors, manifest, protocol="none", bootstrap=0)
        entry |= {"protocol": "none", "metrics": dict(scored.metrics), "chance": dict(scored.chance)}
    except InputError as error:  # no identities to score by: vectors are all there is
        entry["not_scored"] = str(error)
    return entry
