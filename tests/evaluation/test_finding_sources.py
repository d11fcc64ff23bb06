"""Where `verify` looks for the data and the embeddings of a results file."""

import shutil

import pytest
from comparison_cases import write_data, write_run

from nextreid.evaluation.results.verification import verify_results


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose results name the data as `world`, as seen from the project's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_data(folder / "world")
    write_run(folder / "runs" / "first", "world")
    return folder


def data_of(results, **more):
    return next(each for each in verify_results(results, **more).findings if each.what == "data")


def test_data_is_found_from_any_folder(project, monkeypatch):
    results = project / "runs" / "first" / "results.json"
    assert data_of(results).ok
    monkeypatch.chdir("/")
    assert data_of(results).ok


def test_data_is_found_from_the_current_folder_when_results_moved(project, tmp_path):
    moved = shutil.copytree(project / "runs" / "first", tmp_path / "elsewhere")
    assert data_of(moved / "results.json").ok


def test_where_it_looked_is_said(project, monkeypatch, tmp_path):
    moved = shutil.copytree(project / "runs" / "first", tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    found = data_of(moved / "results.json")
    assert found.ok is False
    for place in (moved / "world", "/world", tmp_path / "world"):
        assert str(place) in found.detail
    assert "--data D" in found.detail
    given = data_of(moved / "results.json", data=tmp_path / "nowhere")
    assert given.detail == f"missing: there is nothing at {tmp_path / 'nowhere'}"


def test_a_folder_stands_for_its_results(project, capsys):
    from nextreid.cli.main import main

    assert main(["verify", str(project / "runs" / "first")]) == 0
    assert "results.json is what its embeddings give" in capsys.readouterr().out
