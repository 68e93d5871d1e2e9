"""Processes and clusters: the same values, whatever dies; and what fails for good is set aside alone."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray
from sweep_works import VARIABLES, sweep

from fastslow.errors import FastSlowError, InputError
from fastslow.sweeps import Sweep, Variable, run
from fastslow.sweeps.phase_map import phase_map

HERE = Path(__file__).parent
CHUNKS = [f"{i}-{j}" for i in range(4) for j in range(3)]


def assert_same(one, other, but=()):
    """Compare bit for bit, except in some cells."""
    for name in VARIABLES:
        left, right = np.array(one[name][...]), np.array(other[name][...])
        left[but] = right[but] = 0
        assert left.tobytes() == right.tobytes()


def begun(trace):
    """Return how often each chunk was begun."""
    return Counter(line.split()[0] for line in Path(trace).read_text().splitlines())


def environment():
    return os.environ | {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "", "NUMBA_NUM_THREADS": "1"}


def test_processes_give_the_same(tmp_path):
    expected = run(sweep())
    seen = []
    assert_same(run(sweep(), workers=2, progress=lambda *counts: seen.append(counts)), expected)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[0] == (0, 90)
    assert seen[-1] == (90, 90)
    trace = tmp_path / "trace"
    assert_same(run(sweep(trace=str(trace), seconds=0.05), tmp_path / "map", workers=2), expected)
    assert begun(trace) == Counter(CHUNKS)
    processes = {line.split()[1] for line in trace.read_text().splitlines()}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


@pytest.mark.parametrize("workers", [0, 2])
def test_a_chunk_cannot_change_the_job_or_the_grid(workers):
    axes = {"a": np.zeros(3), "b": np.zeros(4)}
    given = Sweep(
        "n", "sweep_works:changes_its_job", {"scale": 1, "list": []}, axes, {"n": Variable("int8", 0)}, (1, 2)
    )
    assert (run(given, workers=workers)["n"] == 3).all()
    assert given.coords["a"].values.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("workers", "illness"), [(0, "raise"), (2, "raise"), (2, "exit"), (1, "kill")])
def test_a_chunk_that_fails_three_times_is_set_aside_alone(tmp_path, workers, illness):
    store, trace, cure = tmp_path / "map", tmp_path / "trace", tmp_path / "cure"
    given = sweep(chunk=[1, 2], illness=illness, until=str(cure), trace=str(trace), seconds=0.01)
    expected = run(sweep())
    result = run(given, store, workers=workers)
    # All others were computed once: none was blamed, or repeated, for what another one did.
    assert begun(trace) == Counter(CHUNKS) + Counter({"1-2": 2})
    ill = (slice(3, 6), slice(8, 9))
    assert_same(result, expected, but=ill)
    assert (result["fate"][ill] == -1).all()
    assert np.isnan(result["loss"][ill]).all()
    assert result.cells_set_aside == 3
    assert result.cells_done == 87
    (error,) = result.errors
    assert (error.index, error.start, error.shape) == ((1, 2), (3, 8), (3, 1))
    assert error.message == ("ArithmeticError: no fate here" if illness == "raise" else "its worker process died")
    attrs = xarray.open_zarr(store, chunks=None).attrs
    assert attrs["cells_set_aside"] == 3
    assert json.loads(attrs["errors"])[0]["message"] == error.message
    assert json.loads(attrs["errors"])[0]["index"] == [1, 2]

    cure.touch()
    again = run(given, store, resume=True)
    assert again.cells_set_aside == 0
    assert_same(again, expected)
    assert xarray.open_zarr(store, chunks=None).attrs["cells_set_aside"] == 0
    assert begun(trace)["1-2"] == 4


@pytest.mark.parametrize("illness", ["raise", "kill"])
def test_a_chunk_that_fails_once_is_repeated(tmp_path, illness):
    trace = tmp_path / "trace"
    given = sweep(chunk=[0, 1], illness=illness, once=True, until=str(tmp_path / "ill"), trace=str(trace))
    result = run(given, workers=2)
    assert result.errors == ()
    assert begun(trace) == Counter(CHUNKS) + Counter(["0-1"])
    assert_same(result, run(sweep()))


def test_a_worker_that_is_killed_from_outside(tmp_path):
    trace = tmp_path / "trace"
    killed = []

    def kill(done, total):
        if done and not killed:
            killed.append(int(trace.read_text().splitlines()[-1].split()[1]))
            os.kill(killed[0], signal.SIGKILL)

    result = run(sweep(trace=str(trace), seconds=0.1), workers=2, progress=kill)
    assert killed
    assert result.errors == ()
    assert_same(result, run(sweep()))


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ("wrong_shape", r"ValueError: the work returned fate of shape \(11,\), not that of the chunk, \(3, 4\)"),
        ("wrong_name", r"TypeError: the work returned \['fate'\], not the variables \['fate', 'loss'\]"),
        ("wrong_dtype", "TypeError: the work returned fate as float64, which is no int16"),
        ("too_large", "ValueError: the work returned values of fate that int16 cannot hold"),
    ],
)
def test_values_that_are_not_as_declared_are_not_kept(work, message):
    result = run(sweep(work))
    assert result.cells_done == 0
    assert result.cells_set_aside == 90
    assert re.fullmatch(message, result.errors[0].message)
    assert (result["fate"] == -1).all()


def test_a_script_without_a_main_guard_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from sweep_works import sweep\nfrom fastslow.sweeps import run\nrun(sweep(), workers=2)\n")
    process = subprocess.run([sys.executable, script], env=environment(), capture_output=True, text=True, timeout=60)
    assert "FastSlowError: The worker processes cannot start. In a script" in process.stderr


class Dask:
    """A scheduler and workers of dask, each a process of its own."""

    def __init__(self, folder, **settings):
        self._environment = environment() | settings
        self._folder, self._processes = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def start(self, *arguments):
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *map(str, arguments[1:])]
        # The log goes to a file: a pipe that nobody reads would stop them.
        log = (self._folder / f"{len(self._processes)}.log").open("w")
        with log:
            process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True, cwd=self._folder
            )
        self._processes.append(process)
        return process

    def worker(self, name, *options):
        return self.start("worker", self.address, "--nthreads", 1, "--no-dashboard", "--name", name, *options)

    def wait_for(self, workers):
        from distributed import Client

        with Client(self.address, timeout=30, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=60)

    def stop(self):
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    cluster = Dask(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.stop()


def test_a_cluster_gives_the_same_though_a_worker_is_killed(dask, tmp_path):
    dask.wait_for(0)
    with pytest.raises(InputError, match=r"has no workers. Start some: dask worker tcp://"):
        run(sweep(), scheduler=dask.address)
    first, _ = dask.worker("a", "--no-nanny"), dask.worker("b", "--no-nanny")
    dask.wait_for(2)
    trace = tmp_path / "trace"
    given = sweep(
        chunks=(2, 2), seconds=0.05, trace=str(trace), chunk=[4, 4], illness="raise", until=str(tmp_path / "cure")
    )

    def kill(done, total):
        if done >= 24 and first.poll() is None:
            first.kill()
            first.wait()

    result = run(given, tmp_path / "map", scheduler=dask.address, progress=kill)
    assert first.poll() is not None
    assert [error.index for error in result.errors] == [(4, 4)]
    assert begun(trace)["4-4"] == 3
    assert len({line.split()[1] for line in trace.read_text().splitlines()}) == 2
    local = run(given, workers=2)
    assert_same(result, local)
    assert local.errors[0].message == result.errors[0].message == "ArithmeticError: no fate here"
    (tmp_path / "cure").touch()
    again = run(given, tmp_path / "map", scheduler=dask.address, resume=True)
    assert_same(again, run(sweep(chunks=(2, 2))))

    # The same scheduler, and a worker of another version.
    other = dask.worker("old", "--no-nanny", "--preload", "import fastslow; fastslow.__version__ = '0.0.9'")
    dask.wait_for(2)
    with pytest.raises(InputError, match=r"worker 'old' at tcp://.* has fastslow 0\.0\.9, and this is"):
        run(sweep(), scheduler=dask.address)
    other.kill()
    other.wait()


def test_a_map_on_a_cluster_though_a_worker_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("fastslow.sweeps.phase_map._CHUNK_ODE", 40)
    settings = {"method": "ode", "loss": True, "jumps": True}
    axes = "c_star[3]=-3:3:12", "a0=1:12:20"
    local = phase_map("fig5-left", *axes, **settings)
    cluster = Dask(tmp_path)
    try:
        first, _ = cluster.worker("a", "--no-nanny"), cluster.worker("b", "--no-nanny")
        cluster.wait_for(2)

        def kill(done, total):
            assert total == 240
            if done >= 40 and first.poll() is None:
                first.kill()
                first.wait()

        found = phase_map(
            "fig5-left", *axes, **settings, scheduler=cluster.address, store=tmp_path / "map", progress=kill
        )
    finally:
        cluster.stop()
    assert first.returncode == -signal.SIGKILL
    assert found.fates == local.fates and found.notes == local.notes
    assert found.index.tobytes() == local.index.tobytes()
    assert {name: values.tobytes() for name, values in found.fields.items()} == {
        name: values.tobytes() for name, values in local.fields.items()
    }
    with xarray.open_zarr(tmp_path / "map", chunks=None) as opened:
        assert opened["loss"].dims == ("a0", "c_star[3]") and opened["jumps"].dtype == np.int16


def test_a_chunk_that_kills_the_workers_of_a_cluster_is_set_aside_alone(tmp_path):
    # The scheduler gives up whatever a dying worker had, innocent chunks too.
    cluster = Dask(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    try:
        cluster.worker("a")
        cluster.worker("b")
        cluster.wait_for(2)
        trace = tmp_path / "trace"
        given = sweep(chunk=[1, 1], illness="exit", trace=str(trace), seconds=0.02)
        result = run(given, scheduler=cluster.address)
    finally:
        cluster.stop()
    assert [error.index for error in result.errors] == [(1, 1)]
    assert "worker died" in result.errors[0].message
    assert_same(result, run(sweep()), but=(slice(3, 6), slice(4, 8)))
    # Once in company, and three times alone; what was in flight with it is repeated once at most.
    assert begun(trace)["1-1"] == 4
    assert max(count for chunk, count in begun(trace).items() if chunk != "1-1") <= 2


def test_a_cluster_that_is_lost_keeps_what_is_done(tmp_path):
    cluster = Dask(tmp_path)
    store = tmp_path / "map"
    given = sweep(chunks=(1, 3), seconds=0.05)

    def stop(done, total):
        if done >= 9:
            cluster.stop()

    try:
        cluster.worker("a", "--no-nanny")
        cluster.wait_for(1)
        started = time.monotonic()
        with pytest.raises(FastSlowError, match=r"The cluster at tcp://.* is lost"):
            run(given, store, scheduler=cluster.address, progress=stop)
        assert time.monotonic() - started < 20
    finally:
        cluster.stop()
    seen = []
    result = run(given, store, resume=True, progress=lambda *counts: seen.append(counts))
    assert seen[0][0] >= 9
    assert_same(result, run(sweep()))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tcp://localhost", "xyz://127.0.0.1:9"])
def test_a_wrong_address_is_told_soon(address, tmp_path):
    started = time.monotonic()
    with pytest.raises(InputError, match="no scheduler answers there") as caught:
        run(sweep(), tmp_path / "map", scheduler=address)
    assert caught.value.field == "scheduler"
    # The next attempt, with the right address, must find nothing in its way.
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - started < 6


def test_a_server_of_something_else_is_told_soon():
    # It accepts connections, and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.monotonic()
        with pytest.raises(InputError, match="no scheduler answers there"):
            run(sweep(), scheduler=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - started < 8


def test_a_missing_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'fastslow\[cluster\]'"):
        run(sweep(), scheduler="tcp://127.0.0.1:9")
