"""The phase-map and boundary commands: their documents, exit codes, what an interruption leaves."""

import json
import signal
import subprocess
import time

import pytest

from tests.test_cli import FASTSLOW, run

NETWORK = ("--c", "1,1,1", "--c-star", "1,-1,1")
MAP = ("phase-map", *NETWORK, "--x", "c_star[2]=-3:1:7")


def test_the_document_of_a_map(tmp_path):
    done = run(*MAP, "--y", "a0=1:6:5", "--compare", "ode", "--json", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "fastslow.phase_map/1" and document["method"] == "exact"
    assert document["x"]["name"] == "c_star[2]" and len(document["x"]["values"]) == 7
    assert document["y"]["values"][0] == 1.0 and document["y"]["values"][-1] == 6.0
    assert [len(row) for row in document["fate"]] == [7] * 5
    assert {document["fates"][k] for row in document["fate"] for k in row} == {"learning", "unlearning"}
    assert document["differences"] == []
    del document["differences"]
    assert json.loads((tmp_path / "phase_map.json").read_text()) == document
    assert (tmp_path / "phase_map.png").read_bytes().startswith(b"\x89PNG")


def test_a_map_in_two_processes():
    alone = run(*MAP, "--y", "a0=1:6:5", "--method", "singular", "--ends", "--json")
    done = run(*MAP, "--y", "a0=1:6:5", "--method", "singular", "--ends", "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == alone.stdout
    document = json.loads(done.stdout)
    assert {"doubtful", "attractors", "attractor", "end_fast", "end_slow"} <= set(document)


def test_the_document_of_a_boundary():
    done = run("boundary", *NETWORK, "--x", "c_star[2]=-3:1", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "fastslow.boundary/1" and document["limit"] == "ode" and document["complete"] is True
    assert document["x"] == {"name": "c_star[2]", "low": -3.0, "high": 1.0}
    for curve in document["curves"]:
        assert len(curve["x"]) == len(curve["a0"]) and (curve["R"] is None or len(curve["R"]) == len(curve["x"]))
    assert all({"kind", "x", "a0", "R", "radius", "certified"} == set(corner) for corner in document["corners"])


def test_a_boundary_in_two_parameters_is_written(tmp_path):
    done = run(
        *("boundary", *NETWORK, "--x", "c_star[2]=-3:1", "--y", "noise=0:1", "--a0", "3", "-o", str(tmp_path), "--json")
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "boundary.json").read_text()) == json.loads(done.stdout)
    assert json.loads(done.stdout)["curves"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((*MAP, "--y", "a0=1:6:5", "--compare", "exact"), "--compare"),
        ((*MAP, "--y", "a0=1:6:5", "--resume"), "--resume"),
        ((*MAP, "--y", "a0=1:6:5", "--rtol", "0"), "rtol"),
        ((*MAP, "--y", "noise=0:1:3", "--a0", "0"), "a0"),
        (("boundary", *NETWORK, "--x", "c_star[2]=-3:1:9"), "--x"),
        (("boundary", *NETWORK, "--x", "c_star[2]=-3:1", "--y", "foo=0:1"), "foo"),
        (("boundary", *NETWORK, "--x", "c_star[2]=-3:1", "--y", "noise=0:1", "--a0", "0"), "a0"),
    ],
)
def test_bad_input_is_refused(arguments, field):
    done = run(*arguments)
    assert done.returncode == 2 and field in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_an_interrupted_map_goes_on(tmp_path):
    """Ctrl-C keeps the finished chunks and prints the command; --resume ends as one run does, other settings do not."""
    command = [*FASTSLOW, "phase-map", *NETWORK, "--method", "ode", "--x"]
    command += ["c_star[2]=-3:1:1200", "--y", "a0=1:6:1200", "-o", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 200.0
        while time.monotonic() < end and not any(tmp_path.glob("map.zarr/fate/c/*/*")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 130, errors
    assert "To go on: fastslow phase-map" in errors and "--resume" in errors
    again = command[3:]
    other = run(*again, "--method", "exact", "--resume")
    assert other.returncode == 2 and "Resume with the same settings" in other.stderr
    resumed = run(*again, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "1200 x 1200 cells" in resumed.stdout


def test_a_fast_variable_called_x_is_not_the_parameter():
    done = run("boundary", "van_der_pol", "--x", "a=-2:2", "--limit", "singular", "--json")
    document = json.loads(done.stdout)
    assert document["x"] == {"name": "a", "low": -2.0, "high": 2.0} and document["curves"]
    for curve in document["curves"]:
        assert curve["x"] == sorted(curve["x"]) and set(curve) == {"kind", "x", "y0", "fast", "below", "above"}
