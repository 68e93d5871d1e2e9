"""Activations and links on the command line and in model files, in every command that takes a network."""

import gc
import json

import pytest
from fastslow_cli.main import main

import fastslow as fs

TANH = ("--activation", "tanh", "--link", "he1 + 0.5*he3")


@pytest.fixture
def run(capsys):
    def in_process(*arguments):
        with pytest.raises(SystemExit) as done:
            main([*arguments])
        gc.enable()
        written = capsys.readouterr()
        return done.value.code, written.out, written.err

    return in_process


def test_analyze(run):
    code, out, err = run("analyze", *TANH, "--a0", "5", "--order", "9", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["model"]["parameters"] == {
        **{"activation": "tanh", "link": "he1 + 0.5*he3", "order": 9.0, "slow_rate": 1.0, "noise": 0.0}
    }
    assert document["complete"] is True
    assert any("truncated at k = 9" in note for note in document["model"]["notes"])
    (orbit,) = document["orbits"]
    analysis = fs.analyze(fs.two_layer("tanh", "he1 + 0.5*he3", order=9), a0=[5])
    assert orbit["verdict"]["ode"] == analysis.orbits[0].verdict.ode


def test_summary_says_what_is_dropped(run):
    code, out, _ = run("analyze", "--activation", "relu", "--link", "he1 - he2", "--a0", "2")
    assert code == 0
    text = " ".join(out.split())
    assert "activation = relu link = he1 - he2 order = 15" in text
    assert "Dropped: E[relu] = 0.398942 of the activation" in text
    assert "Certified is the model truncated at k = 15" in text
    assert "Assumption 4 asks" in text
    assert "That holds for the truncated model" in text.partition("Complete:")[2]
    _, out, _ = run("analyze", "--activation", "he1 - he2", "--link", "he1 - he2", "--a0", "2")
    assert "Complete:" in out and "truncated" not in out


def test_polynomials_are_the_coefficients(run):
    """Text of Hermite polynomials and the list of coefficients are one network."""
    named = ("--activation", "he1 + he2 + he3", "--link", "he1 - 2*he2 + he3")
    _, one, _ = run("analyze", *named, "--a0", "1", "--json")
    _, other, _ = run("analyze", "--c", "1,1,1", "--c-star", "1,-2,1", "--a0", "1", "--json")
    one, other = json.loads(one), json.loads(other)
    for key in ("branches", "points", "graph", "orbits", "thresholds"):
        assert one[key] == other[key]
    _, mixed, _ = run("analyze", "--c", "1,1,1", "--link", "he1 - 2*he2 + he3", "--a0", "1", "--json")
    mixed = json.loads(mixed)
    assert mixed["orbits"] == other["orbits"]
    assert mixed["model"]["parameters"]["c"] == [1, 1, 1]


COMMANDS = {
    "thresholds": (),
    "scaling": ("--a0", "5"),
    "timescales": ("--a0", "5", "--tau", "10"),
    "simulate ode": ("--a0", "5", "--tau", "10"),
    "simulate sgd": ("--a0", "1", "--n", "50", "--d", "100", "--m", "5", "--gamma", "0.1", "--steps", "4"),
    "continue": ("--kind", "equilibrium", "--x", "c_star[3]=0.2:0.6"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_them(run, command):
    rest = COMMANDS[command]
    code, out, err = run(*command.split(), *TANH, "--order", "5", *rest, "--json")
    assert code in (0, 3), err
    model = json.loads(out)["model"]
    if command.startswith("continue"):
        assert "c_star" in model
    else:
        assert (model["activation"], model["link"], model["order"]) == ("tanh", "he1 + 0.5*he3", 5)


def test_a_model_file(run, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text('model = "two_layer"\nactivation = "tanh"\nlink = "he1 + 0.5*he3"\norder = 9\na0 = [5]\n')
    _, out, _ = run("analyze", str(path), "--json")
    _, other, _ = run("analyze", *TANH, "--a0", "5", "--order", "9", "--json")
    assert json.loads(out) == json.loads(other)
    code, out, _ = run("analyze", str(path), "--slow-rate", "1/10", "--json")
    assert code == 0
    parameters = json.loads(out)["model"]["parameters"]
    assert (parameters["slow_rate"], parameters["activation"]) == (0.1, "tanh")


BAD = {
    "no link": (["--activation", "tanh"], ["--c-star (or --link)"]),
    "no activation": (["--link", "tanh"], ["--c (or --activation)"]),
    "both": ([*TANH, "--c", "1,1"], ["activation", "cannot stand beside c"]),
    "preset": (["fig4", *TANH], ["cannot be combined with --activation, --link"]),
    "order of a preset": (["fig4", "--order", "3"], ["cannot be combined with --order"]),
    "order of a list": (["--c", "1,1", "--c-star", "1,1", "--order", "3"], ["order", "activation or link only"]),
    "order": ([*TANH, "--order", "many"], ["order", "whole number"]),
    "normalised": ([*TANH, "--normalised"], ["normalised"]),
    "unknown": (["--activation", "tanhh", "--link", "x"], ["activation", "column 1", "Did you mean tanh"]),
    "unknown link": (["--activation", "tanh", "--link", "sinn(x)"], ["link", "column 1", "Did you mean sin"]),
    "code": (["--activation", "__import__('os')", "--link", "x"], ["column 12", "no text"]),
    "growth": (["--activation", "exp(x**2)", "--link", "x"], ["grows too fast"]),
    "no first term": (["--activation", "he2", "--link", "tanh"], ["c_1 must not be zero"]),
    "not real": (["--activation", "log(x)", "--link", "x"], ["not finite and real"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(run, case):
    arguments, wanted = BAD[case]
    code, out, err = run("analyze", *arguments)
    assert (code, out) == (2, "")
    (message,) = [line for line in err.splitlines() if line.startswith("Error:")]
    for piece in wanted:
        assert piece in message
