import json

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import manifest_of, rows_of

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.provenance import Source, hardware, sha256_of, versions
from nextreid.evaluation.results.report import (
    Control,
    per_query,
    read_results,
    results_document,
    write_results,
)
from nextreid.evaluation.results.report_markdown import all_scores, gains_table
from nextreid.evaluation.scenarios.missing import MissingRow, missing_entry
from nextreid.evaluation.statistics import paired_differences


def evaluation(seed=0, bootstrap=50):
    rng = np.random.default_rng(seed)
    rows = rows_of("aaabbbcdd", "121122111")
    vectors = rng.standard_normal((9, 6)).astype(np.float32)
    embeddings = Embeddings(np.array([row.observation for row in rows]), vectors)
    return evaluate_embeddings(embeddings, manifest_of(rows), protocol="cross-camera", bootstrap=bootstrap)


def document(**more):
    first, second = evaluation(), evaluation(seed=1)
    gain = paired_differences(first.ranking, second.ranking, samples=50)
    return results_document(
        first,
        data=Source(path="d/manifest.csv", sha256="a" * 64, name="d"),
        model=Source(path="m", sha256="b" * 64),
        embeddings=Source(path="e.npz", sha256="c" * 64),
        selection="last epoch",
        controls=[Control("colour-histogram", second, gain)],
        branches={"global": second},
        scenarios={
            "missing": missing_entry(
                (
                    MissingRow(("tir",), ("rgb",), second, gain, left_out=1),
                    MissingRow(("rgb",), ("tir",), None, {}, left_out=9, reason="nothing there"),
                )
            )
        },
        settings={"captions": False},
        **more,
    )


def test_the_file_has_every_key_of_the_format(tmp_path):
    found = evaluation()
    out, table = write_results(document(), found.ranking, tmp_path / "new" / "results.json")
    read = read_results(out)
    assert read["format"] == "nextreid.results/1"
    for name in METRIC_NAMES:
        assert read["metrics"][name] == found.metrics[name]
        assert read["metrics"][f"{name}_ci"] == list(found.intervals[name])
    assert read["queries"] == {
        "total": 9,
        "valid": 6,
        "removed_by_filter": 2,
        "without_match": 1,
        "gallery": 9,
    }
    assert read["protocol"] == {"name": "cross-camera", "version": 1}
    assert read["data"] == {"name": "d", "path": "d/manifest.csv", "sha256": "a" * 64}
    assert read["model"] == {"path": "m", "sha256": "b" * 64}
    assert read["embeddings"] == {"path": "e.npz", "sha256": "c" * 64}
    assert (read["seed"], read["selection"]) == (0, "last epoch")
    assert {"nextreid", "python", "numpy"} <= set(read["versions"])
    assert {"cores", "processor", "device"} <= set(read["hardware"])
    assert set(read["scenarios"]) == {"missing"}
    assert read["scenarios"]["missing"]["rows"][1]["reason"] == "nothing there"
    assert read["chance"].keys() == {"mAP", "rank1", "rank5", "rank10", "rank20"}
    assert read["controls"]["colour-histogram"]["gain"]["mAP"]["better"] in (True, False)
    assert table.name == "results.per_query.parquet"
    assert sorted(file.name for file in out.parent.iterdir()) == ["results.json", "results.per_query.parquet"]


def test_the_per_query_table_makes_up_the_metrics(tmp_path):
    found = evaluation()
    _, path = write_results(document(), found.ranking, tmp_path / "r.json")
    table = pd.read_parquet(path)
    assert list(table.columns) == ["query", "ap", "inp", "first_match_rank", "valid"]
    assert table["query"].tolist() == [f"o{i}" for i in range(9)]
    valid = table[table["valid"]]
    assert len(valid) == found.counts.valid
    assert valid["ap"].mean() == pytest.approx(found.metrics["mAP"])
    assert valid["inp"].mean() == pytest.approx(found.metrics["mINP"])
    assert (valid["first_match_rank"] <= 1).mean() == pytest.approx(found.metrics["rank1"])
    assert table.loc[~table["valid"], ["ap", "inp", "first_match_rank"]].isna().all().all()
    assert per_query(found.ranking)["first_match_rank"].dtype == "Int64"


def test_no_model_no_intervals():
    found = results_document(evaluation(bootstrap=0), data=Source("d", "a" * 64, "d"), selection="untrained")
    assert found["model"] is None
    assert found["embeddings"] is None
    assert found["scenarios"] == {}
    assert set(found["metrics"]) == set(METRIC_NAMES)
    assert "| result |" in all_scores(found).markdown()


def test_tables_are_in_percent():
    found = document()
    table = all_scores(found, title="NEXT")
    assert [row[0] for row in table.rows] == [
        "NEXT",
        "branch global",
        "colour-histogram",
        "chance",
        "M(tir)",
        "M(rgb)",
    ]
    assert table.rows[0][1] == f"{100 * found['metrics']['mAP']:.1f}"
    assert all(len(row) == len(table.header) for row in table.rows)
    assert table.rows[-1][1:] == ("",) * 8
    lines = table.markdown().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    gains = gains_table(found)
    assert [row[0] for row in gains.rows] == ["minus colour-histogram", "minus M(tir)"]
    assert gains.rows[0][1][0] in "+-"


def test_what_cannot_be_written_or_read(tmp_path):
    ranking = evaluation().ranking
    with pytest.raises(InputError, match=r"ends in \.json"):
        write_results(document(), ranking, tmp_path / "results.txt")
    broken = document()
    broken["metrics"]["mAP"] = float("nan")
    with pytest.raises(InputError, match="JSON cannot"):
        write_results(broken, ranking, tmp_path / "results.json")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no results file"):
        read_results(tmp_path / "none.json")
    for content, message in (("{", "not JSON"), ("[]", "format None"), ('{"format": "x/2"}', "'x/2'")):
        (tmp_path / "r.json").write_text(content)
        with pytest.raises(InputError, match=message):
            read_results(tmp_path / "r.json")


def test_hashes(tmp_path):
    folder = tmp_path / "m"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"abc")
    (folder / "sub" / "b").write_bytes(b"")
    assert sha256_of(folder / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    before = sha256_of(folder)
    assert Source.of(folder, name="m") == Source(str(folder), before, "m")
    (folder / "sub" / "b").rename(folder / "sub" / "c")
    assert sha256_of(folder) != before
    with pytest.raises(InputError, match="no file or folder"):
        sha256_of(tmp_path / "none")


def test_the_machine_and_its_software_go_into_json():
    assert json.loads(json.dumps(hardware("cuda:0")))["device"] == "cuda:0"
    assert all(isinstance(version, str) for version in versions().values())
