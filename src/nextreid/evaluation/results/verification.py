"""`verify`: a results file computed again from the embeddings it was made from, and compared.

Numbers agree when they lie within 1e-9 of each other. The file's own checksum guards every digit, those
that cannot be computed from embeddings (controls from pixels, versions, hardware) among them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nextreid.data.manifest import Manifest
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation, evaluate_branches, evaluate_embeddings
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.agreement import disagreements, summary_of
from nextreid.evaluation.results.provenance import Source
from nextreid.evaluation.results.report import read_results, results_document
from nextreid.evaluation.results.scored import read_per_query
from nextreid.evaluation.results.verification_sources import Finding, check_data, check_embeddings, check_file
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext
from nextreid.progress import Progress, Silent

TOLERANCE = 1e-9
"""Between a number in the file and the same computed again (ours: far below what a table shows, far above
what the order of summation moves; another machine's matrix product may swap two near-equal distances, which
moves a score by more, and is reported)."""

NOT_SCORES = frozenset(
    (
        *("format", "checksum", "protocol", "metric", "bootstrap", "seed", "selection", "settings", "data"),
        *("model", "embeddings", "training", "controls", "scenarios", "scenarios_left_out", "versions"),
        "hardware",
    )
)
"""Keys of results.json that are not computed from embeddings, or that are looked at one by one."""

Recompute = Callable[[ScenarioContext], Mapping[str, Any]]


@dataclass(frozen=True)
class Verification:
    """All checks of one results file."""

    results: Path
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks that failed."""
        return tuple(finding for finding in self.findings if finding.ok is False)


def verify_results(
    results: Path | str,
    *,
    data: Path | str | None = None,
    layout: str | None = None,
    embeddings: Path | str | None = None,
    recompute: Mapping[str, Recompute] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compute a result again from its embeddings and compare every number.

    Args:
        results: the results.json.
        data: the data set, where it is no longer at the place the file names.
        layout: of the data set, where it differs from the one the file names.
        embeddings: likewise.
        recompute: key of results.json, parts joined by a dot (`scenarios.missing`) -> what computes the
            value there again.
        progress: of the ranking.

    Raises:
        InputError: there is no such file, or it is no results file. Everything else is a finding.
    """
    path = Path(results)
    document = read_results(path)
    findings = [check_file(path, document)]
    vectors, found = check_embeddings(path, document, embeddings)
    findings.append(found)
    manifest, found = check_data(path, document, data, layout)
    findings.append(found)
    if vectors is None or manifest is None:
        findings.append(Finding("scores", None, "cannot be computed again without embeddings and data"))
        return Verification(path, tuple(findings))
    exactly = findings[0].ok is False
    try:
        evaluation = _evaluate(document, vectors, manifest, progress)
        findings += _scores(document, evaluation, vectors, manifest, exactly)
    except (InputError, AttributeError, KeyError, TypeError) as error:
        findings.append(Finding("scores", False, f"cannot be computed again: {_said(error)}"))
        return Verification(path, tuple(findings))
    findings.append(_per_query(path, evaluation))
    context = ScenarioContext(
        manifest=manifest,
        embeddings=vectors,
        full=evaluation,
        model_path=_model_path(document),
        progress=progress or Silent(),
    )
    findings += _others(document, context, recompute or {}, exactly)
    return Verification(path, tuple(findings))


def _evaluate(
    document: Mapping[str, Any], vectors: Embeddings, manifest: Manifest, progress: Progress | None
) -> Evaluation:
    protocol = protocol_named(document["protocol"]["name"])
    if protocol.version != document["protocol"]["version"]:
        raise InputError(
            f"protocol {protocol.name} has version {protocol.version} here, the results are of version "
            f"{document['protocol']['version']}",
            do=f"verify with nextreid {document.get('versions', {}).get('nextreid', 'of that time')}",
        )
    return evaluate_embeddings(
        vectors,
        manifest,
        protocol=protocol,
        metric=document["metric"],
        bootstrap=document["bootstrap"],
        seed=document["seed"],
        progress=progress,
    )


def _scores(
    document: Mapping[str, Any],
    evaluation: Evaluation,
    vectors: Embeddings,
    manifest: Manifest,
    exactly: bool,
) -> list[Finding]:
    """Compare every key that the evaluation alone gives: metrics, chance, queries, branches, trials ..."""
    computed = results_document(
        evaluation,
        data=Source("", ""),
        selection="",
        branches=evaluate_branches(vectors, manifest, full=evaluation),
    )
    return [
        _compared(key, document.get(key), computed[key], exactly)
        for key in computed
        if key not in NOT_SCORES and (key in document or computed[key])
    ]


def _compared(key: str, written: Any, computed: Any, exactly: bool) -> Finding:
    lines = list(disagreements(written, computed, tolerance=TOLERANCE, where=key))
    if lines:
        return Finding(key, False, summary_of(lines))
    lines = list(disagreements(written, computed, tolerance=0.0, where=key)) if exactly else []
    if lines:  # the checksum says that a digit was changed: here is one, too small for the tolerance
        return Finding(key, False, f"not to the last digit: {summary_of(lines)}")
    return Finding(key, True, "as computed again")


def _per_query(results: Path, evaluation: Evaluation) -> Finding:
    table = results.with_name(f"{results.stem}.per_query.parquet")
    try:
        written = read_per_query(table, trials=evaluation.per_query.trials)
    except InputError as error:
        return Finding("per-query table", False, str(error))
    fault = _per_query_fault(written, evaluation.per_query)
    return Finding("per-query table", not fault, f"{table}: {fault or 'as computed again'}")


def _per_query_fault(written: PerQuery, computed: PerQuery) -> str:
    if not np.array_equal(written.query, computed.query):
        return f"{len(written.query)} queries, {len(computed.query)} computed, or others"
    if not np.array_equal(written.valid, computed.valid):
        first = computed.query[int(np.argmax(written.valid != computed.valid))]
        return f"whether {str(first)!r} is valid"
    one = np.column_stack([written.values, written.first_match_rank])
    two = np.column_stack([computed.values, computed.first_match_rank])
    apart = ~np.isclose(one, two, rtol=0.0, atol=TOLERANCE, equal_nan=True)
    if not apart.any():
        return ""
    row, column = np.argwhere(apart)[0].tolist()
    what = (*METRIC_NAMES, "first_match_rank")[column]
    return (
        f"{what} of {str(computed.query[row])!r} is {one[row, column]}, {two[row, column]} computed; "
        f"{int(apart.any(axis=1).sum())} of {len(apart)} queries differ"
    )


def _others(
    document: Mapping[str, Any], context: ScenarioContext, recompute: Mapping[str, Recompute], exactly: bool
) -> list[Finding]:
    """Compare the scenarios and whatever else the file holds, where there is a way to compute it."""
    scenarios = document.get("scenarios")
    if not isinstance(scenarios, Mapping):
        return [Finding("scenarios", False, "is no object")]
    parts = {f"scenarios.{name}": entry for name, entry in scenarios.items()}
    scores = results_document(context.full, data=Source("", ""), selection="")
    parts |= {key: entry for key, entry in document.items() if key not in NOT_SCORES | set(scores)}
    if document.get("controls"):
        parts["controls"] = document["controls"]
    guard = "the checksum guards it" if "checksum" in document else "nothing guards it"
    not_made_of_them = f"is not made from these embeddings alone; {guard}"
    findings = []
    for key, entry in parts.items():
        if key not in recompute:
            findings.append(Finding(key, None, not_made_of_them))
            continue
        try:
            findings.append(_compared(key, entry, recompute[key](context), exactly))
        except NotPossibleError:
            findings.append(Finding(key, None, not_made_of_them))
        except InputError as error:
            findings.append(Finding(key, False, f"cannot be computed again: {error}"))
    return findings


def _model_path(document: Mapping[str, Any]) -> str | None:
    noted = document.get("model")
    return str(noted["path"]) if noted and Path(noted["path"]).is_dir() else None


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"the file lacks or mistypes {error}"
