"""The thresholds command: its document, its table, exit codes."""

import json

import pytest

from tests.test_cli import run


@pytest.fixture(scope="module")
def fig4():
    done = run("thresholds", "fig4", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_document(fig4):
    assert fig4["schema"] == "fastslow.thresholds/1"
    assert fig4["model"]["c_star"] == [1, -1, 1, 1, 1]
    (threshold,) = fig4["thresholds"]
    assert threshold["a0"] == pytest.approx(9.311751715419074, abs=1e-10)
    assert threshold["saddle"] == {"id": "E3", "R": 0.09431703499058393, "a": 9.312353886016064}
    assert (threshold["below"], threshold["above"]) == ("learning", "unlearning")
    assert threshold["singular"] == 9.312353886016064
    # The first-order value, to the error of second order.
    assert threshold["first_order"] == pytest.approx(threshold["a0"], abs=1e-8)
    assert [(b["low"], b["high"]) for b in fig4["basins"]] == [
        ("-inf", 0.0),
        (0.0, threshold["a0"]),
        (threshold["a0"], "inf"),
    ]
    assert fig4["differences"] == []
    assert "connections" not in fig4


def test_it_says_the_same_as_analyze(fig4):
    document = json.loads(run("analyze", "fig4", "--json").stdout)
    (ours,), (theirs,) = fig4["thresholds"], document["thresholds"]
    assert theirs["saddle"] == ours["saddle"]["id"]
    for key in ("below", "above", "below_node", "above_node", "singular", "first_order", "note"):
        assert theirs[key] == ours[key]
    assert theirs["a0"] == pytest.approx(ours["a0"], rel=1e-13)
    assert document["full_graph"]["differences"] == []
    kinds = [edge["kind"] for edge in document["full_graph"]["edges"]]
    assert [kinds.count(kind) for kind in ("unstable", "stable", "line")] == [4, 4, 4]
    ids = {point["id"] for point in document["points"]}
    for edge in document["full_graph"]["edges"]:
        assert {edge["from"], edge["to"]} <= ids
        assert len(edge["path"]["R"]) == len(edge["path"]["a"])


def test_connections(tmp_path):
    arguments = ("thresholds", "fig7", "--connections", "slow_rate", "--between", "0.25,0.35", "--samples", "1")
    done = run(*arguments, "--json", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (found,) = document["connections"]
    # By an independent calculation.
    assert found["value"] == pytest.approx(0.29660602, abs=6e-9)
    assert (found["source"]["id"], found["target"]["id"]) == ("E3", "E4")
    assert document["unresolved"] == []
    assert len(document["differences"]) == 2
    assert json.loads((tmp_path / "out" / "thresholds.json").read_text()) == document
    words = run(*arguments).stdout
    assert (tmp_path / "out" / "thresholds.txt").read_text() == words
    assert "slow_rate = 0.29660601" in words and "from E3 to E4" in words
    assert max(map(len, words.splitlines())) < 160


def test_negative_ends_of_an_interval():
    arguments = ("--connections", "c_star_2", "--between", "-2.01,-2", "--samples", "1")
    done = run("thresholds", "fig7", "--slow-rate", "1/4", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["connections"]) == 1


def test_unresolved_is_exit_code_3():
    arguments = ("--connections", "c_star_2", "--between", "-2.5,-2.4", "--samples", "1")
    done = run("thresholds", "fig7", *arguments)
    assert done.returncode == 3
    assert "unresolved: between" in done.stdout


def test_other_variables(tmp_path):
    (tmp_path / "m.toml").write_text(
        'model = "polynomial"\nfast = "u"\nslow = "w"\nf = ["u - w"]\ng = "-w"\nstart_fast = 1\nslow_rate = "1/10"\n'
    )
    document = json.loads(run("thresholds", str(tmp_path / "m.toml"), "--json").stdout)
    (threshold,) = document["thresholds"]
    # The stable manifold is w = (1 + slow_rate) u.
    assert threshold["w0"] == pytest.approx(1.1, rel=1e-12)
    assert threshold["saddle"] == {"id": "E1", "u": 0.0, "w": 0.0}


def test_a_system_with_no_threshold():
    done = run("thresholds", "van_der_pol")
    assert done.returncode == 0
    assert "No threshold." in done.stdout and "relaxation oscillation" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("fig4", "--between", "1,2"), "--connections"),
        (("fig4", "--connections", "slow_rate"), "--between"),
        (("fig4", "--connections", "slow_rate", "--between", "1"), "two numbers"),
        (("fig4", "--connections", "rate", "--between", "1,2"), "no parameter of this model"),
    ],
)
def test_bad_input(arguments, wanted):
    done = run("thresholds", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert "Traceback" not in done.stderr and wanted in done.stderr
