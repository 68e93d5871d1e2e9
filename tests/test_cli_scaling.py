"""`fastslow scaling` as a user meets it: JSON, text, files, exit codes, bad input."""

import gc
import json
import math
import subprocess
import sys

import pytest
from fastslow_cli.main import main


@pytest.fixture
def run(capsys):
    def in_process(*arguments):
        with pytest.raises(SystemExit) as done:
            main(["scaling", *arguments])
        gc.enable()
        written = capsys.readouterr()
        return done.value.code, written.out, written.err

    return in_process


def test_json_of_the_papers_case(run):
    code, out, err = run("--c", "1,1,1", "--c-star", "1,-1,1", "--a0", "5", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["schema"] == "fastslow.scaling/1"
    assert document["model"]["c_star"] == [1, -1, 1]
    predicted, fitted, limits = document["predicted"], document["fitted"], document["limits"]
    assert (predicted["case"], predicted["exact_exponent"], predicted["exponent"]) == ("ii", "1/3", 1 / 3)
    assert predicted["prefactor"] == pytest.approx(6 ** (1 / 3), rel=1e-14)
    assert abs(fitted["exponent"] - 1 / 3) <= fitted["error"] < 1e-7
    assert abs(fitted["prefactor"] - predicted["prefactor"]) <= fitted["prefactor_error"] < 1e-5
    for name, value in (("Ra", 1.0), ("loss", 4.0)):
        assert limits[f"{name}_predicted"] == value
        assert abs(limits[name] - value) <= limits[f"{name}_error"] < 1e-7
    assert (document["a0"], document["tau"], document["status"]) == (5.0, 1e12, "power law")
    slopes = document["slopes"]
    assert len(slopes["tau"]) == len(slopes["a"]) == len(slopes["R"])
    assert slopes["a"][-1] == pytest.approx(1 / 3, abs=1e-3)
    assert slopes["R"][-1] == pytest.approx(-1 / 3, abs=1e-3)


def test_slow_rate_noise_and_length_are_used(run):
    arguments = ("--c", "1,1,1", "--c-star", "1,-1,1", "--slow-rate", "1/10", "--noise", "2", "--a0", "-5", "--json")
    code, out, _ = run(*arguments, "--tau", "1e9")
    assert code == 0
    assert json.loads(out)["fate"] == "learning"
    code, out, _ = run(*arguments[:-2], "5", "--json", "--tau", "1e9")
    document = json.loads(out)
    assert (code, document["tau"]) == (0, 1e9)
    assert document["predicted"]["prefactor"] == pytest.approx(0.6 ** (1 / 3), rel=1e-14)
    assert document["limits"]["loss_predicted"] == 6.0


def test_a_learning_start_is_no_failure(run):
    code, out, _ = run("fig4", "--a0", "5", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["predicted"] is document["fitted"] is None
    assert "no scaling law" in document["verdict"]
    assert "no scaling law" in run("fig4", "--a0", "5")[1]


def test_several_starts_are_listed(run):
    code, out, _ = run("fig4", "--json")
    document = json.loads(out)
    assert code == 0
    assert [tail["a0"] for tail in document["tails"]] == [5.0, 9.0, 10.0]
    assert [tail["fitted"] is None for tail in document["tails"]] == [True, True, False]
    assert "fitted" not in document


def test_text_puts_prediction_beside_fit(run):
    code, out, err = run("fig6-left")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("a0 = 10. unlearning: |a| ~ (8 τ)^(1/4), case i; fitted exponent 0.25")
    assert any(line.split()[:6] == ["exponent", "of", "a", "1/4", "=", "0.25"] for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_prediction_that_is_not_confirmed_exits_with_3(run):
    code, out, _ = run("fig6-left", "--tau", "1e4", "--json")
    document = json.loads(out)
    assert (code, document["fitted"], document["agrees"]) == (3, None, False)
    assert document["predicted"]["exponent"] == 0.25
    assert "not asymptotic" in document["verdict"]


def test_files(run, tmp_path):
    code, out, err = run("fig6-right", "--json", "-o", str(tmp_path / "new"))
    assert code == 0
    assert "Wrote scaling.json and tails.png" in err
    assert json.loads((tmp_path / "new" / "scaling.json").read_text()) == json.loads(out)
    assert (tmp_path / "new" / "tails.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run("fig4", "--a0", "5", "-o", str(tmp_path / "learning"))
    assert code == 0
    assert "no tail to draw" in err
    assert [path.name for path in (tmp_path / "learning").iterdir()] == ["scaling.json"]


def test_another_model_names_its_own_variables(run, tmp_path):
    (tmp_path / "m.toml").write_text('model = "polynomial"\nf = "1 - x^2*y"\ng = "x"\nstart_fast = 1\n')
    code, out, _ = run(str(tmp_path / "m.toml"), "--a0", "1", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["y0"] == 1.0
    assert (document["predicted"]["case"], document["predicted"]["exact_exponent"]) == ("general", "2/3")
    assert document["predicted"]["fast_exponent"] == -1 / 3
    assert document["limits"]["xy"] == pytest.approx(1.0, abs=1e-6)
    assert document["limits"]["loss"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fig4", "--a0", "0"), "a0"),
        (("fig4", "--a0", "x"), "--a0"),
        (("fig4", "--a0", "5", "--tau", "10"), "tau"),
        (("fig4", "--a0", "5", "--tau", "nan"), "tau"),
        (("--c", "1,1", "--c-star", "1,1"), "--a0"),
        (("fig4", "--a0", "5", "-o", "/dev/null"), "-o"),
        (("nothing",), "MODEL"),
        ((), "MODEL"),
    ],
)
def test_bad_input_names_the_field_and_exits_with_2(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_starts_in_the_plane_and_tails_on_an_invariant_line(run, tmp_path):
    """On u = 1 the slow equation is w' = 1/10: no limit of a product, and no slope of u, is to be told."""
    (tmp_path / "m.toml").write_text(
        'model = "polynomial"\nfast = "u"\nslow = "w"\nf = ["1 - u", "u*w - 1"]\ng = "u**3"\n'
        'slow_rate = "1/10"\nwindow = [0, 1]\nstart_fast = "1/2"\n'
    )
    code, out, _ = run(str(tmp_path / "m.toml"), "--start", "1/4,5", "--a0", "3", "-o", str(tmp_path / "out"))
    assert code == 0
    assert out.startswith("w0 = 3. ") and "\n(u, w) = (0.25, 5). " in out
    assert "None" not in out and "limit" not in out and "|u|" not in out and "general" not in out
    assert (tmp_path / "out" / "tails.png").exists()


def test_as_a_process():
    code = "from fastslow_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "scaling", "fig6-right", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert math.isclose(json.loads(done.stdout)["fitted"]["exponent"], 1 / 3, rel_tol=1e-6)
