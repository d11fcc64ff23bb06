import json
import re

import numpy as np
import pandas as pd
import pytest
from comparison_cases import write_data, write_run

from nextreid.embedding.embeddings import load_embeddings
from nextreid.errors import InputError
from nextreid.evaluation.results.agreement import disagreements, summary_of
from nextreid.evaluation.results.comparison import compare_paired
from nextreid.evaluation.results.provenance import checksum, sha256_of
from nextreid.evaluation.results.scored import read_scored
from nextreid.evaluation.results.verification import verify_results
from nextreid.evaluation.scenarios.missing import run as run_missing
from nextreid.evaluation.scenarios.scenario import NotPossibleError

AGAIN = {"scenarios.missing": run_missing}


@pytest.fixture
def results(tmp_path):
    return write_run(tmp_path / "r", write_data(tmp_path / "d"), missing=True)


def verify(path, **more):
    return verify_results(path, recompute=AGAIN, **more)


def failed(path, **more):
    return {finding.what: finding.detail for finding in verify(path, **more).failed}


def edit(path, change, *, seal=False):
    document = json.loads(path.read_text())
    change(document)
    if seal:
        document["checksum"] = checksum(json.dumps(document))
    path.write_text(json.dumps(document))


def embeddings_of(results):
    return results.parent / "results.embeddings.npz"


def test_what_was_not_touched_holds(results):
    found = verify(results)
    assert found.ok, found.failed
    checked = {finding.what for finding in found.findings if finding.ok}
    assert checked >= {"file", "embeddings", "data", "metrics", "chance", "queries", "branches"}
    assert checked >= {"per-query table", "scenarios.missing"}


def test_spaces_and_the_order_of_keys_are_no_change(results):
    document = json.loads(results.read_text())
    results.write_text(json.dumps(dict(reversed(document.items())), indent=None))
    assert verify(results).ok


@pytest.mark.parametrize("text", ["[1]", "3", "{"])
def test_a_checksum_is_of_an_object(text):
    with pytest.raises(InputError, match="JSON"):
        checksum(text)


def test_every_digit_that_matters_is_missed_by_nobody(results):
    """Change one digit after another, anywhere in the file, and be told each time."""
    text = results.read_text()
    digits = [match.start() for match in re.finditer(r"\d", text)]
    rng = np.random.default_rng(0)
    assert checksum(text) == json.loads(text)["checksum"]
    for place in rng.choice(digits, size=400, replace=False).tolist():
        other = str((int(text[place]) + int(rng.integers(1, 10))) % 10)
        changed = text[:place] + other + text[place + 1 :]
        try:
            written = json.loads(changed)["checksum"]
        except json.JSONDecodeError:
            continue  # 05 is no number: refused when read
        assert checksum(changed) != written, text[place - 40 : place + 5]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d["metrics"].update(mAP=d["metrics"]["mAP"] + 0.001), "metrics"),
        (lambda d: d["metrics"].update(mAP_ci=[0.0, 1.0]), "metrics"),
        (lambda d: d["metrics"].update(rank50=1.0), "metrics"),
        (lambda d: d["metrics"].pop("rank5"), "metrics"),
        (lambda d: d["chance"].update(rank1=0.5), "chance"),
        (lambda d: d["queries"].update(valid=d["queries"]["valid"] + 1), "queries"),
        (lambda d: d["branches"]["global"].update(mINP=0.123), "branches"),
        (lambda d: d["branches"].pop("semantic"), "branches"),
        (lambda d: d.update(seed=1), "metrics"),
        (lambda d: d.update(bootstrap=49), "metrics"),
        (lambda d: d["scenarios"]["missing"]["rows"][2]["metrics"].update(rank1=0.001), "scenarios.missing"),
        (lambda d: d["scenarios"]["missing"]["rows"].pop(), "scenarios.missing"),
        (lambda d: d["protocol"].update(version=9), "scores"),
        (lambda d: d["protocol"].update(name="cross-planet"), "scores"),
        (lambda d: d.update(metric="euclid"), "scores"),
        (lambda d: d.pop("bootstrap"), "scores"),
    ],
)
def test_a_changed_number_is_found_even_under_a_new_checksum(results, change, what):
    edit(results, change, seal=True)
    found = failed(results)
    assert what in found, found
    assert "file" not in found


def test_a_changed_number_is_named_with_both_values(results):
    right = json.loads(results.read_text())["metrics"]["mAP"]
    edit(results, lambda d: d["metrics"].update(mAP=0.5))
    found = failed(results)
    assert found["metrics"] == f"metrics.mAP is 0.5 in the file, {right!r} computed"
    assert "changed after it was written" in found["file"]
    assert set(found) == {"file", "metrics"}


def test_a_last_digit_is_found_by_the_checksum_and_named(results):
    value = json.loads(results.read_text())["metrics"]["mAP"]
    edit(results, lambda d: d["metrics"].update(mAP=np.nextafter(value, 1)))
    found = failed(results)
    assert found["metrics"].startswith("not to the last digit: metrics.mAP")
    edit(results, lambda d: None, seal=True)
    assert not failed(results)  # within 1e-9: what another machine may give


def test_a_changed_digit_where_nothing_can_be_computed_is_found_by_the_checksum(results):
    edit(results, lambda d: d["hardware"].update(cores=77))
    assert set(failed(results)) == {"file"}


def test_one_changed_vector_is_found(results):
    place = embeddings_of(results)
    kept = load_embeddings(place)
    vectors = kept.vectors.copy()
    vectors[3] = -vectors[3]
    type(kept)(kept.observation, vectors, kept.subsets, kept.branches).save(place)
    found = failed(results)
    assert "is not the file that was scored" in found["embeddings"]
    assert {"metrics", "per-query table"} <= set(found)
    # even if the sum is written anew
    edit(results, lambda d: d["embeddings"].update(sha256=sha256_of(place)), seal=True)
    found = failed(results)
    assert "embeddings" not in found
    assert {"metrics", "per-query table"} <= set(found)


def test_one_changed_vector_of_a_subset_is_found(results):
    place = embeddings_of(results)
    kept = load_embeddings(place)
    subsets = {name: matrix.copy() for name, matrix in kept.subsets.items()}
    subsets["nir"][:4] *= -1
    type(kept)(kept.observation, kept.vectors, subsets, kept.branches).save(place)
    edit(results, lambda d: d["embeddings"].update(sha256=sha256_of(place)), seal=True)
    assert set(failed(results)) == {"scenarios.missing"}


def test_a_missing_embeddings_file_is_named(results):
    embeddings_of(results).unlink()
    found = verify(results)
    (finding,) = found.failed
    assert finding.what == "embeddings"
    assert "missing" in finding.detail
    assert "results.embeddings.npz" in finding.detail
    assert [each.what for each in found.findings if each.ok is None] == ["scores"]


def test_damaged_embeddings_are_a_finding(results):
    place = embeddings_of(results)
    place.write_bytes(place.read_bytes()[:-200])
    assert "cannot be read" in failed(results)["embeddings"]


def test_results_without_embeddings_cannot_be_verified(results):
    edit(results, lambda d: d.update(embeddings=None), seal=True)
    assert "names none" in failed(results)["embeddings"]


def test_moved_together_they_still_hold(results, tmp_path):
    folder = tmp_path / "elsewhere"
    results.parent.rename(folder)
    assert verify(folder / "results.json").ok


def test_embeddings_and_data_may_be_named_anew(results, tmp_path):
    place = embeddings_of(results)
    place.rename(tmp_path / "e.npz")
    (tmp_path / "d").rename(tmp_path / "new")
    assert set(failed(results)) == {"embeddings", "data"}
    assert verify(results, embeddings=tmp_path / "e.npz", data=tmp_path / "new").ok
    assert set(failed(results, embeddings=tmp_path / "f.npz", data=tmp_path / "new")) == {"embeddings"}


def test_changed_data_is_found(results, tmp_path):
    manifest = tmp_path / "d" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("o1,a,2", "o1,b,2"))
    found = failed(results)
    assert "is not what was scored" in found["data"]
    assert "metrics" in found


def test_a_changed_query_of_the_table_is_named(results):
    path = results.parent / "results.per_query.parquet"
    table = pd.read_parquet(path)
    right = table.loc[4, "ap"]
    table.loc[4, "ap"] = right / 2
    table.to_parquet(path)
    detail = failed(results)["per-query table"]
    assert f"mAP of 'o4' is {right / 2}, {right} computed" in detail
    assert f"1 of {len(table)} queries differ" in detail
    path.unlink()
    assert "no per-query table" in failed(results)["per-query table"]


@pytest.mark.parametrize("change", [{"query": "zz"}, {"valid": False}, {"first_match_rank": 7}])
def test_other_columns_of_the_table_count_too(results, change):
    path = results.parent / "results.per_query.parquet"
    table = pd.read_parquet(path)
    for column, value in change.items():
        table.loc[0, column] = value
    table.to_parquet(path)
    assert set(failed(results)) == {"per-query table"}


def test_what_cannot_be_computed_is_said_not_passed(results):
    edit(results, lambda d: d.update(controls={"x": {}}, seconds={"all": 3}), seal=True)
    found = {each.what: each for each in verify_results(results).findings}
    assert found["controls"].ok is None
    assert found["seconds"].ok is None
    assert found["scenarios.missing"].ok is None

    def impossible(context):
        raise NotPossibleError("needs a model")

    found = verify_results(results, recompute={"scenarios.missing": impossible})
    detail = {each.what: each.detail for each in found.findings}
    assert "not made from these embeddings alone" in detail["scenarios.missing"]
    assert found.ok


def test_images_that_were_left_out_are_left_out_again(tmp_path):
    data = write_data(tmp_path / "d")
    results = write_run(tmp_path / "r", data)
    table = tmp_path / "d" / "manifest.csv"
    lost = {
        "list": [{"observation": "o0", "modality": name, "reason": "cut"} for name in ("rgb", "nir", "tir")]
    }
    # o0 was unreadable: scored without it, as if it were not listed
    whole = table.read_text()
    table.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("o0,")))
    less = write_run(tmp_path / "s", data)
    table.write_text(whole)
    edit(less, lambda d: d["settings"].update(left_out=lost), seal=True)
    sha256 = json.loads(results.read_text())["data"]["sha256"]
    edit(less, lambda d: d["data"].update(sha256=sha256), seal=True)
    assert verify(less).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("data"),
        lambda d: d.update(data=3),
        lambda d: d["data"].pop("path"),
        lambda d: d.update(embeddings="e.npz"),
        lambda d: d["embeddings"].pop("sha256"),
        lambda d: d.update(settings=[]),
        lambda d: d["settings"].update(left_out={"list": ["o0"]}),
        lambda d: d.update(protocol="cross-camera"),
        lambda d: d.update(metrics=None),
        lambda d: d.update(scenarios=None),
        lambda d: d.update(scenarios={"missing": 3}),
        lambda d: d.update(bootstrap="many"),
    ],
)
def test_a_file_of_another_shape_fails_without_a_fault(results, change):
    edit(results, change, seal=True)
    assert failed(results)


def test_no_file_is_an_error_and_an_old_file_has_no_checksum(results, tmp_path):
    with pytest.raises(InputError, match="no results file"):
        verify(tmp_path / "nothing.json")
    edit(results, lambda d: d.pop("checksum"))
    found = verify(results)
    assert found.ok
    assert found.findings[0].ok is None


def test_disagreements_name_places():
    one = {"a": [1, {"b": 2.0}], "c": "x", "d": True, "e": None}
    assert list(disagreements(one, {**one, "a": (1, {"b": 2.0 + 1e-12})}, tolerance=1e-9)) == []
    other = {"a": [1, {"b": 3.0}], "c": "y", "d": 1, "f": 0}
    assert list(disagreements(one, other, tolerance=1e-9)) == [
        "a[1].b is 2.0 in the file, 3.0 computed",
        "c is 'x' in the file, 'y' computed",
        "d is True in the file, 1 computed",
        "e is None in the file, and does not come out",
        "f is not in the file; computed: 0",
    ]
    assert list(disagreements([1], [1, 2], tolerance=0.0)) == [" is [1] in the file, [1, 2] computed"]
    assert list(disagreements(1.0, float("nan"), tolerance=1.0, where="x"))
    assert summary_of(["a", "b", "c", "d"]) == "a; b; c; and 1 more"


def test_results_of_ten_trials_are_verified_and_compared(tmp_path):
    """Two cameras, several images of each identity under both: galleries differ from trial to trial."""
    lines = ["observation,identity,camera,rgb,nir"]
    for i in range(48):
        images = f"{i}.png," if (i // 6 + i) % 2 else f",{i}.png"  # every identity in both, under each camera
        lines.append(f"o{i},{'abcdef'[i % 6]},{1 + i // 12 % 2},{images}")
    data = tmp_path / "d" / "manifest.csv"
    data.parent.mkdir()
    data.write_text("\n".join(lines) + "\n")
    one = write_run(tmp_path / "a", data, protocol="llcm/nir2vis", noise=1.0)
    two = write_run(tmp_path / "b", data, protocol="llcm/nir2vis", noise=3.0, draw=1)
    assert len(json.loads(one.read_text())["trials"]["scores"]) == 10
    assert verify(one).ok
    a, b = read_scored([one, two])
    found = compare_paired(a, b, bootstrap=50, draws=200)
    gap = found.metrics["rank1"].difference
    assert gap.first == pytest.approx(a.metrics["rank1"])
    assert gap.difference == pytest.approx(a.metrics["rank1"] - b.metrics["rank1"])
    table = pd.read_parquet(a.table)
    table.loc[int(np.argmax(table["valid"])), "rank5"] = 0.05
    table.to_parquet(a.table)
    assert set(failed(one)) == {"per-query table"}
