"""The quickstart as shipped, whole: what it claims to show, it shows (some minutes on two cores)."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from nextreid.cli.main import main
from nextreid.cli.quickstart import FILES
from nextreid.data.manifest import load_manifest
from nextreid.embedding.embedder import NextReID


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("quickstart") / "q"
    assert main(["quickstart", "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture
def results(quickstart):
    return json.loads((quickstart / "results.json").read_text())


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_files_and_size(quickstart, results):
    assert all((quickstart / name).stat().st_size > 0 for name in FILES)
    test = load_manifest(quickstart / "world").split("test")
    assert len(test.identities) >= 20
    assert results["queries"]["valid"] >= 200
    assert results["protocol"]["name"] == "cross-camera"
    assert results["chance"]["mAP"] > 0
    assert results["settings"]["captions"] == "none"


@pytest.mark.slow
def test_training_beats_the_start_and_colour_histograms(results):
    trained, controls = results["metrics"]["mAP"], results["controls"]
    assert trained >= 1.5 * controls["untrained"]["metrics"]["mAP"]
    for name in ("untrained", "colour-histogram"):
        assert controls[name]["gain"]["mAP"]["interval"][0] > 0, name


@pytest.mark.slow
def test_all_modalities_beat_each_alone(results):
    alone = {r["shown"][0]: r for r in results["scenarios"]["missing"]["rows"] if len(r["shown"]) == 1}
    assert set(alone) == {"rgb", "nir", "tir"}
    for name, row in alone.items():
        assert results["metrics"]["mAP"] > row["metrics"]["mAP"], name


@pytest.mark.slow
def test_captions_alone_identify_less_than_half_as_well_as_pixels(results):
    words = results["controls"]["caption-words-of-truth"]["metrics"]["mAP"]
    assert words < 0.5 * results["metrics"]["mAP"]


@pytest.mark.slow
def test_structure_routing_is_not_uniform_after_training(quickstart):
    reid = NextReID.from_pretrained(quickstart / "run" / "model", device="cpu")
    rows = load_manifest(quickstart / "world").split("test").rows[:16]
    _, batch = next(reid._batches([r.to_observation() for r in rows], 16, False, None, None))
    with torch.no_grad():
        routing = reid.model(batch).structure.routing  # (B,C,N,J)
    assert routing.amax(dim=-1).mean() > 1.2 / routing.shape[-1]


@pytest.mark.slow
def test_the_losses_fall(quickstart):
    loss = pd.read_csv(quickstart / "run" / "metrics.csv")["loss"]
    assert loss.iloc[-20:].mean() < 0.8 * loss.iloc[5:25].mean()
