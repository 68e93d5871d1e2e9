"""What a store keeps: through interruptions, damage, other settings and full disks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray
from sweep_works import VARIABLES, sweep

from fastslow.errors import InputError, SweepInterrupted
from fastslow.sweeps import Axis, Sweep, Variable, run
from fastslow.sweeps.store import LOG, Store

HERE = Path(__file__).parent


def assert_same(one, other):
    """Compare bit for bit."""
    for name in VARIABLES:
        assert one[name][...].tobytes() == other[name][...].tobytes()
        assert one[name][...].dtype == other[name][...].dtype == VARIABLES[name].dtype


def begun(trace):
    """Return how often each chunk was begun."""
    return Counter(line.split()[0] for line in Path(trace).read_text().splitlines())


def logged(store):
    """Return the chunks that the store says are done."""
    lines = (Path(store) / LOG).read_bytes().splitlines() if (Path(store) / LOG).exists() else []
    return ["-".join(map(str, json.loads(line)["chunk"])) for line in lines]


def python(code, *arguments, **options):
    """Start another Python that can import the work functions."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(HERE)}, **options)


def test_store_and_memory_hold_the_same(tmp_path):
    expected = run(sweep())
    assert_same(run(sweep(), tmp_path / "map"), expected)
    # Every cell by itself: an error in cutting or placing chunks would be the same in both of the above.
    one = run(sweep(chunks=(1, 1)))
    whole = run(sweep(chunks=(100, 100)))
    assert_same(one, whole)
    assert_same(one, expected)
    a0, c = np.meshgrid(np.linspace(0.1, 5, 10), np.linspace(-1, 1, 9), indexing="ij")
    numbers = np.arange(90).reshape(10, 9)
    np.testing.assert_allclose(expected["loss"], (np.sin(1.5 * a0) + np.sin(3 * c)) / 3 + numbers * 1e-7, rtol=1e-13)
    np.testing.assert_array_equal(expected["fate"], numbers % 3)


def test_xarray_opens_a_store_with_its_provenance(tmp_path):
    import fastslow

    coords = {"a0": Axis(np.array([1.0, 2, 3]), units="1", long_name="start"), "k": np.arange(4)}
    given = sweep(coords=coords, chunks=(2, 2))
    result = run(given, tmp_path / "map")
    for opened in (xarray.open_zarr(tmp_path / "map", chunks=None), result.dataset()):
        assert opened["fate"].dims == ("a0", "k")
        assert opened["fate"].dtype == "int16"
        assert opened["a0"].values.tolist() == [1, 2, 3]
        assert opened["k"].dtype == np.arange(4).dtype
        assert opened["a0"].attrs == {"units": "1", "long_name": "start"}
        assert opened["fate"].attrs == {"long_name": "fate", "flag_values": [0, 1, 2]}
        assert opened["loss"].attrs["units"] == "1"
        assert opened.attrs["fastslow_version"] == fastslow.__version__
        assert json.loads(opened.attrs["job"]) == {"scale": 1.5}
        assert len(opened.attrs["configuration_sha256"]) == 64
        assert opened.attrs["created"].endswith("+00:00")
        assert opened.attrs["complete"] == 1
        assert opened.attrs["cells_set_aside"] == 0
    text = (tmp_path / "map" / "zarr.json").read_text()
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text
    in_memory = run(given).dataset()
    xarray.testing.assert_equal(in_memory, result.dataset().load())
    assert in_memory["fate"].attrs == result.dataset()["fate"].attrs
    assert in_memory["a0"].attrs == result.dataset()["a0"].attrs


def test_other_numbers_of_dimensions(tmp_path):
    for shape, chunks in (((7,), (3,)), ((3, 4, 5), (2, 3, 2))):
        coords = {f"x{k}": np.linspace(0, 1, count) for k, count in enumerate(shape)}
        given = sweep(coords=coords, chunks=chunks)
        expected = run(given)
        assert expected["fate"].shape == shape
        np.testing.assert_array_equal(expected["fate"].ravel(), np.arange(np.prod(shape)) % 3)
        assert_same(run(given, tmp_path / str(len(shape))), expected)


INTERRUPTED = """
import sys
from pathlib import Path
from sweep_works import sweep
from fastslow.sweeps import run
from fastslow.errors import SweepInterrupted
if __name__ == "__main__":
    given = sweep(chunks=(2, 2), seconds=0.05, trace=sys.argv[2])
    try:
        run(given, sys.argv[1], workers=int(sys.argv[3]))
    except SweepInterrupted as error:
        print(error.done, error.total, error.store, flush=True)
        sys.exit(130)
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_a_stopped_sweep_goes_on(tmp_path, how, workers):
    store, trace = tmp_path / "map", tmp_path / "trace"
    # A group of its own, as the terminal sends Ctrl-C to all processes of the foreground group.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = python(INTERRUPTED, store, trace, workers, **options)
    deadline = time.monotonic() + 30
    while len(logged(store)) < 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.kill()
    out, err = process.communicate(timeout=20)
    done = logged(store)
    assert 5 <= len(done) < 25
    if how == signal.SIGINT:
        assert process.returncode == 130, err
        assert err == ""
        cells = sum((1 if chunk.endswith("-4") else 2) * 2 for chunk in done)
        assert out.split() == [str(cells), "90", str(store)]
    _assert_gone({int(line.split()[1]) for line in trace.read_text().splitlines()})

    assert xarray.open_zarr(store, chunks=None).attrs["complete"] == 0
    before = begun(trace)
    seen = []
    given = sweep(chunks=(2, 2), seconds=0.05, trace=str(trace))
    result = run(given, store, resume=True, progress=lambda *counts: seen.append(counts))
    assert_same(result, run(sweep(chunks=(2, 2))))
    # What was done was not done again, and the rest was done once.
    assert begun(trace) - before == Counter(f"{i}-{j}" for i in range(5) for j in range(5) if f"{i}-{j}" not in done)
    assert seen[0][0] > 0
    assert seen[-1] == (90, 90)
    assert xarray.open_zarr(store, chunks=None).attrs["complete"] == 1


def _assert_gone(pids):
    """Wait for worker processes to end by themselves: nobody is left to stop them after kill -9."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        time.sleep(0.02)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_in_memory_returns_what_is_done():
    def stop(done, total):
        if done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(SweepInterrupted, match="of 90 cells") as caught:
        run(sweep(), progress=stop)
    expected = run(sweep())
    done = ~np.isnan(caught.value.result["loss"])
    assert done.sum() == caught.value.done >= 40
    assert not done.all()
    np.testing.assert_array_equal(caught.value.result["loss"][done], expected["loss"][done])
    assert (caught.value.result["fate"][~done] == -1).all()
    assert isinstance(caught.value, KeyboardInterrupt)


def _other_value(axis):
    values = np.linspace(0.1, 5, 10)
    values[7] = np.nextafter(values[7], 9)
    return {"a0": values, "c_star[3]": np.linspace(-1, 1, 9)}[axis]


@pytest.mark.parametrize(
    ("changes", "field", "texts"),
    [
        ({"rtol": {"of": [1, 2, 4]}}, "job.rtol.of[2]", ("= 4", "has 3")),
        ({"rtol": {"of": [1, 2, 3.0]}}, "job.rtol.of[2]", ("= 3.0", "has 3")),
        ({"rtol": {"of": [1, 2]}}, "job.rtol.of", ("[1, 2]", "[1, 2, 3]")),
        ({"more": None}, "job.more", ("None", "'nothing'")),
        ({"chunks": (5, 4)}, "chunks[0]", ("= 5", "has 3")),
        ({"work": "values"}, "work", ("sweep_works:values", "sweep_works:noted")),
        ({"shape": (11, 9)}, "the number of values of a0", ("= 11", "has 10")),
        ({"coords": {"a0": _other_value("a0"), "c_star[3]": _other_value("c_star[3]")}}, "a0[7]", ("3.91", "3.91")),
        ({"coords": {"b": np.arange(10), "c_star[3]": np.arange(9)}}, "dims[0]", ("'b'", "'a0'")),
        ({"variables": {**VARIABLES, "fate": Variable("int32", -1)}}, "variables.fate.dtype", ("int32", "int16")),
        ({"variables": {**VARIABLES, "fate": Variable("int16", -2)}}, "variables.fate.fill", ("-2", "-1")),
    ],
)
def test_another_configuration_is_refused(tmp_path, changes, field, texts):
    run(sweep(rtol={"of": [1, 2, 3]}), tmp_path / "map")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "map").rglob("*")}
    with pytest.raises(InputError) as caught:
        run(sweep(**{"rtol": {"of": [1, 2, 3]}, **changes}), tmp_path / "map", resume=True)
    assert caught.value.field == field
    assert all(text in str(caught.value) for text in texts)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "map").rglob("*")}


def test_words_about_the_axes_are_no_other_configuration(tmp_path):
    run(sweep(), tmp_path / "map")
    again = {"fate": Variable("int16", -1, long_name="where it goes"), "loss": VARIABLES["loss"]}
    run(sweep(variables=again), tmp_path / "map", resume=True)


def test_another_version_is_refused(tmp_path, monkeypatch):
    run(sweep(), tmp_path / "map")
    monkeypatch.setattr("fastslow.sweeps.store.__version__", "99.0")
    with pytest.raises(InputError, match=r"begun by fastslow .*, and this is 99\.0"):
        run(sweep(), tmp_path / "map", resume=True)


def test_directories_that_are_not_empty_or_not_ours(tmp_path):
    run(sweep(), tmp_path / "map")
    with pytest.raises(InputError, match=r"is not empty. Resume"):
        run(sweep(), tmp_path / "map")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("precious")
    for resume in (False, True):
        with pytest.raises(InputError, match=r"not empty|no store"):
            run(sweep(), tmp_path / "foreign", resume=resume)
    assert (tmp_path / "foreign" / "thesis.tex").read_text() == "precious"
    for path in (tmp_path / "foreign" / "thesis.tex", tmp_path / "foreign" / "thesis.tex" / "map"):
        with pytest.raises(InputError, match=r"is a file|cannot be written"):
            run(sweep(), path)
    (tmp_path / "empty").mkdir()
    assert_same(run(sweep(), tmp_path / "empty"), run(sweep()))
    assert_same(run(sweep(), tmp_path / "a" / "b", resume=True), run(sweep()))
    edited = tmp_path / "map" / "zarr.json"
    edited.write_text(edited.read_text().replace('\\"scale\\": 1.5', '\\"scale\\": 2.5'))
    with pytest.raises(InputError, match="was edited"):
        run(sweep(), tmp_path / "map", resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {"map", "foreign", "empty", "a"}


def test_one_process_writes_a_store(tmp_path):
    store = Store(sweep(), tmp_path / "map", resume=False)
    with pytest.raises(InputError, match="another process"):
        run(sweep(), tmp_path / "map", resume=True)
    store.close()
    run(sweep(), tmp_path / "map", resume=True)


def _cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 16
    file.write_bytes(content)


def _other_chunk(file):
    # A whole file, of another chunk: it can be read, and is wrong.
    file.write_bytes((file.parent.parent / "1" / "1").read_bytes())


def _remove(file):
    file.unlink()


@pytest.mark.parametrize("damage", [_cut, _flip, _other_chunk, _remove])
@pytest.mark.parametrize("chunk", ["0/0", "3/2"])
@pytest.mark.parametrize("variable", ["fate", "loss"])
def test_a_damaged_chunk_is_computed_again(tmp_path, damage, chunk, variable):
    store, trace = tmp_path / "map", tmp_path / "trace"
    given = sweep(trace=str(trace))
    run(given, store)
    before = begun(trace)
    damage(store / variable / "c" / chunk)
    with pytest.warns(UserWarning, match=r"^1 damaged chunks") as said:
        result = run(given, store, resume=True)
    assert len(said) == 1
    assert result.recomputed == 1
    assert begun(trace) - before == Counter([chunk.replace("/", "-")])
    assert_same(result, run(sweep()))
    assert run(given, store, resume=True).recomputed == 0


def test_a_damaged_log_costs_only_its_lines(tmp_path):
    store, trace = tmp_path / "map", tmp_path / "trace"
    given = sweep(trace=str(trace))
    run(given, store)
    before = begun(trace)
    lines = (store / LOG).read_bytes().splitlines(keepends=True)
    assert len(lines) == 12
    lines[4] = b"\xff\x00 no line\n"
    (store / LOG).write_bytes(b"".join(lines)[:-20])
    (store / "fate" / "c" / "0" / "0.0a1b.partial").write_bytes(b"left by a killed process")
    assert_same(run(given, store, resume=True), run(sweep()))
    assert begun(trace) - before == Counter(["1-1", "3-2"])
    assert sorted(logged(store)) == sorted(f"{i}-{j}" for i in range(4) for j in range(3))
    assert not list(store.rglob("*.partial"))


FULL = """
import resource, sys
from sweep_works import sweep, VARIABLES
from fastslow.sweeps import run
from fastslow.errors import FastSlowError
limit = int(sys.argv[2])
def begin(done, total):
    # From here on the system writes no file beyond the limit: a write is cut short or fails.
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    run(sweep("grows", shape=(60, 60), chunks=(30, 30), random_in=[1, 0]), sys.argv[1], progress=begin)
except FastSlowError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize(("limit", "chunks_done", "log"), [(4000, 2, 192), (150, 1, 150)])
def test_a_full_disk_keeps_what_is_done(tmp_path, limit, chunks_done, log):
    """A write fails in the values of the third chunk, or within the second line of the log, of 96 bytes each."""
    store = tmp_path / "map"
    process = python(FULL, store, limit, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "cannot be written (File too large)" in out
    assert f"{chunks_done * 900} of 3600 cells are done" in out
    assert (store / LOG).stat().st_size == log
    assert not list(store.rglob("*.partial"))
    seen = []
    given = sweep("grows", shape=(60, 60), chunks=(30, 30), random_in=[1, 0])
    result = run(given, store, resume=True, progress=lambda *counts: seen.append(counts))
    assert seen[0] == (chunks_done * 900, 3600)
    assert_same(result, run(given))


def test_too_little_space_is_said_before(tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9, 1000))
    with pytest.raises(InputError, match=r"take up to .* and 1 kB are free"):
        run(sweep(), tmp_path / "map")
    assert list(tmp_path.iterdir()) == []


LARGE = """
import resource, sys
import xarray, zarr, numpy as np
from sweep_works import sweep
from fastslow.sweeps import Variable, run
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
run(sweep("constant", variables={"fate": Variable("int16", -1)}), sys.argv[1] + "/small")
before = peak()
coords = {"x": np.linspace(0, 1, 10_000), "y": np.linspace(0, 1, 10_000)}
given = sweep("constant", coords=coords, chunks=(1000, 1000), variables={"fate": Variable("int16", -1)})
result = run(given, sys.argv[1] + "/large")
print(peak() - before, result.cells_done, int(result["fate"][9_990:, 9_990:].sum()))
"""


def test_memory_is_bounded_by_a_chunk(tmp_path):
    process = python(LARGE, tmp_path, stdout=subprocess.PIPE, text=True)
    grown, done, total = map(int, process.communicate(timeout=60)[0].split())
    assert (done, total) == (10**8, 100)
    # A chunk has 2 MB, the map 200 MB.
    assert grown < 60e6


LIGHT = """
import sys, time
from sweep_works import sweep
from fastslow.sweeps import Variable, run
given = sweep("constant", chunks=(10, 9), variables={"fate": Variable("int16", -1)})
times = []
for _ in range(20):
    start = time.perf_counter()
    run(given)
    times.append(time.perf_counter() - start)
print(min(times), [name for name in ("xarray", "zarr", "dask", "distributed", "numba") if name in sys.modules])
"""


def test_in_memory_costs_little():
    process = python(LIGHT, stdout=subprocess.PIPE, text=True)
    seconds, modules = process.communicate(timeout=60)[0].split(maxsplit=1)
    assert float(seconds) < 5e-3
    assert modules.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"work": "missing"}, "work"),
        ({"chunks": (0, 3)}, "chunks"),
        ({"chunks": (3,)}, "chunks"),
        ({"chunks": (1.5, 3)}, "chunks"),
        ({"coords": {"a0": [], "b": [1.0]}}, "coords.a0"),
        ({"coords": {"a0": [1, np.inf], "b": [1.0]}}, "coords.a0"),
        ({"coords": {"a0": [[1.0]], "b": [1.0]}}, "coords.a0"),
        ({"coords": {"a0": ["x"], "b": [1.0]}}, "coords.a0"),
        ({"coords": {"a/b": [1.0], "b": [1.0]}}, "coords"),
        ({"coords": {"fate": [1.0], "b": [1.0]}}, "variables"),
        ({"coords": {"x": np.arange(10**6), "y": np.arange(10**6)}, "chunks": (1000, 1000)}, "coords"),
        ({"coords": {"x": np.arange(10**4), "y": np.arange(10**4)}, "chunks": (1, 1)}, "chunks"),
        ({"coords": {"x": np.arange(10**5), "y": np.arange(10**5)}, "chunks": (10**5, 10**4)}, "chunks"),
        ({"variables": {}}, "variables"),
        ({"variables": {"../x": Variable("int16", -1)}}, "variables"),
        ({"variables": {"fate": Variable("int16", 0.5)}}, "variables.fate.fill"),
        ({"variables": {"fate": Variable("uint8", -1)}}, "variables.fate.fill"),
        ({"variables": {"fate": Variable("int16", float("nan"))}}, "variables.fate.fill"),
        ({"variables": {"fate": Variable("int99", 0)}}, "variables.fate"),
        ({"variables": {"fate": Variable("U3", 0)}}, "variables.fate.dtype"),
        ({"rtol": float("nan")}, "job"),
        ({"rtol": np.float32(1)}, "job"),
    ],
)
def test_bad_sweeps_are_refused(changes, field):
    with pytest.raises(InputError) as caught:
        sweep(**changes)
    assert caught.value.field == field


def test_bad_options_are_refused(tmp_path):
    for options, field in (
        ({"workers": -1}, "workers"),
        ({"workers": 1.0}, "workers"),
        ({"workers": 10**6}, "workers"),
        ({"workers": 2, "scheduler": "tcp://localhost:1"}, "workers"),
        ({"resume": True}, "store"),
    ):
        with pytest.raises(InputError) as caught:
            run(sweep(), **options)
        assert caught.value.field == field
    with pytest.raises(InputError, match="no lambda, no inner function"):
        Sweep("x", lambda job, chunk: {}, {}, {"a": [1.0]}, VARIABLES, (1,))
    with pytest.raises(InputError, match="memory of this machine"):
        run(sweep(coords={"x": np.arange(10**5), "y": np.arange(10**5)}, chunks=(1000, 1000)), None)
