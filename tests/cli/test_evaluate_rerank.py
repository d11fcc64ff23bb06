"""`evaluate --rerank`: what stands beside the plain score, on a line of points worked out by hand."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from nextreid.cli.main import main

POSITIONS = {"q": 0.0, "b1": 0.9, "b2": 1.0, "b3": 1.1, "a": -0.95}


@pytest.fixture
def line(tmp_path):
    """A query of identity a; three b that are each other's nearest; one a whose nearest is the query."""
    Image.new("RGB", (4, 8)).save(tmp_path / "one.png")
    rows = ["observation,identity,rgb,is_query,is_gallery"]
    rows += [f"{name},{name[0].replace('q', 'a')},one.png,{name == 'q'},{name != 'q'}" for name in POSITIONS]
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    vectors = np.array([[x, 1.0] for x in POSITIONS.values()], dtype=np.float32)
    np.savez(tmp_path / "line.npz", observation=np.array(list(POSITIONS)), embedding=vectors)
    return tmp_path


def evaluate(line, *words):
    given = ["--embeddings", str(line / "line.npz"), "--data", str(line), "--protocol", "none"]
    return main(
        ["evaluate", *given, "--metric", "euclidean", "--out", str(line / "out" / "results.json"), *words]
    )


def written(line):
    return json.loads((line / "out" / "results.json").read_text())


def test_reranked_score_beside_the_plain_one(line, capsys):
    assert evaluate(line, "--rerank", "2,1,0.3") == 0
    document = written(line)
    # plain: b1 at 0.9 is nearer than a at 0.95. Re-ranked: only a has the query among its nearest two
    assert document["metrics"]["mAP"] == 0.5
    assert document["reranked"]["metrics"]["mAP"] == document["reranked"]["metrics"]["rank1"] == 1.0
    assert document["reranked"]["gain"]["mAP"]["difference"] == 0.5
    assert document["reranked"]["settings"] == {
        "method": "k-reciprocal (Zhong et al., CVPR 2017)",
        "k1": 2,
        "k2": 1,
        "weight": 0.3,
    }
    shown = capsys.readouterr()
    assert "re-ranking 1 queries and 4 gallery entries takes about" in shown.err
    assert "re-ranked (k1 2, k2 1, weight 0.3)" in shown.out
    report = (line / "out" / "results.md").read_text()
    assert "re-ranked (k1 2, k2 1, weight 0.3) | 100.0" in report
    assert "## Same or not" in report


def test_plain_without_the_option_and_pairs_always(line):
    assert evaluate(line) == 0
    document = written(line)
    assert "reranked" not in document
    found = document["verification"]
    # one pair of a at 0.95; three of a and b, the nearest at 0.9: no threshold lets the match alone pass
    assert (found["same_pairs"], found["different_pairs"]) == (1, 3)
    assert [found[f"tpr@fpr={rate}"] for rate in ("1e-4", "1e-3", "1e-2")] == [0.0, 0.0, 0.0]
    assert math.isclose(found["threshold@fpr=1e-3"], 0.9, abs_tol=1e-6)


def test_numbers_that_cannot_be(line, capsys):
    for text in ("20,6", "a,b,c", "20,6,2", "0,6,0.3", "2.5,6,0.3"):
        assert evaluate(line, "--rerank", text) == 2
        assert "20,6,0.3" in capsys.readouterr().err.replace("20, 6 and 0.3", "20,6,0.3")
    assert not (line / "out").exists()


def test_verify_computes_both_again(line, capsys):
    assert evaluate(line, "--rerank") == 0
    results = line / "out" / "results.json"
    assert main(["verify", str(results)]) == 0
    out = capsys.readouterr().out
    assert "ok           reranked" in out
    assert "ok           verification" in out
    document = written(line)
    document["reranked"]["metrics"]["mAP"] += 0.01
    results.write_text(json.dumps(document))
    assert main(["verify", str(results)]) == 1
    assert "FAILED       reranked" in capsys.readouterr().out
