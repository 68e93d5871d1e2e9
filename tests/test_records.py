"""Saving and loading: exact, versioned, and honest about damaged files."""

import json

import networkx
import pytest

import fastslow as fs
from fastslow.documents import digest, from_document, to_document
from fastslow.records import save_graph

MODELS = ["fig4", "fig3-left", "fig7", "fig8-3-3", "cusp", "van_der_pol", "fitzhugh_nagumo"]


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_is_exact(name, tmp_path):
    result = fs.analyze(name)
    loaded = fs.load(result.save(tmp_path / "r.json"))
    assert loaded == result
    assert loaded.summary() == result.summary()
    assert loaded.system.formula() == result.system.formula()


def test_round_trip_of_a_system_from_polynomials(tmp_path):
    x, y = fs.variables("u", "w")
    system = fs.FastSlowSystem(
        [y + x - x**3 / 3], "1/7 - u", fast=("u",), slow=("w",), slow_rate="1/50", window=("-5/2", 3), name="mine"
    )
    result = fs.analyze(system, starts=[("1/3", "2/7")])
    loaded = fs.load(result.save(tmp_path / "r.json"))
    assert loaded == result
    assert loaded.orbits[0].exact_start == ("1/3", "2/7")
    assert loaded.system.slow_rate == system.slow_rate


def test_damaged_files_are_named(tmp_path):
    path = fs.analyze("fig6-right").save(tmp_path / "r.json")
    text = path.read_text()
    document = json.loads(text)
    cases = {
        "truncated or no JSON": text[: len(text) // 2],
        "changed after it was saved": text.replace('"complete": true', '"complete": false'),
        "no analysis of fastslow": "[1, 2, 3]",
        "Upgrade": json.dumps({**document, "schema": "fastslow.analysis/2"}),
        "truncated": "",
    }
    for wanted, damaged in cases.items():
        path.write_text(damaged)
        with pytest.raises(fs.RecordError, match=wanted):
            fs.load(path)
    with pytest.raises(fs.RecordError, match="cannot be read"):
        fs.load(tmp_path / "missing.json")


def test_a_document_that_lacks_a_part_is_incomplete():
    document = to_document(fs.analyze("fig6-right"))
    del document["points"]
    document["digest"] = digest(document)
    with pytest.raises(fs.RecordError, match="incomplete"):
        from_document(document)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    result = fs.analyze("fig6-right")
    path = result.save(tmp_path / "r.json")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        result.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_graphml_has_all_nodes_and_edges(tmp_path):
    result = fs.analyze("fig4")
    graph = networkx.read_graphml(save_graph(result, tmp_path / "g.graphml"))
    assert set(graph.nodes) == {p.id for p in result.points if not p.at}
    assert graph.number_of_edges() == len(result.flow.edges)
    assert graph.nodes["E3"]["stability"] == "saddle"
    jumps = [(u, v) for u, v, d in graph.edges(data=True) if d["kind"] == "jump"]
    assert ("F3", "X4") in jumps
    assert networkx.has_path(result.graph, "S2", "E4")
