"""Ensembles of SGD in other processes: the same replicas, whatever happens to the processes."""

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastslow as fs
from fastslow.errors import SweepInterrupted
from fastslow.sgd import arguments
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sweeps.replicas import UNFINISHED

SMALL = {"n": 40, "d": 60, "m": 6, "gamma": 0.3, "steps": 24, "seed": 3, "every": 5, "replicas": 5}


def same(one, other):
    assert one.document() == other.document()
    for name in ("records", "R", "a", "ended", "step"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_any_number_of_workers_and_one_that_is_killed_give_the_same_bits(tmp_path):
    """Some replicas diverge; all processes are killed once in the middle."""
    arguments = {**SMALL, "gamma": 8.0, "n": 10, "method": "direct", "dtype": "float32"}
    whole = fs.simulate_sgd("fig7", 3, **arguments)
    assert 0 < (whole.ended < 24).sum() < 5
    same(fs.sgd_ensemble("fig7", 3, **arguments), whole)
    killed = []

    def kill(done, _):
        if done and not killed:
            killed.extend(process.pid for process in multiprocessing.active_children())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    same(fs.sgd_ensemble("fig7", 3, **arguments, workers=2, checkpoint=tmp_path / "state", progress=kill), whole)
    assert len(killed) == 2
    assert not (tmp_path / "state" / UNFINISHED).exists()
    same(fs.sgd_ensemble("fig7", 3, **arguments, checkpoint=tmp_path / "state", resume=True), whole)


KILLED = """
import os, signal, sys
import fastslow as fs
def kill(done, _):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    fs.sgd_ensemble("fig7", 1, n=40, d=60, m=6, gamma=0.3, steps=24, seed=3, every=5, replicas=5, workers=1,
        checkpoint=sys.argv[1], progress=kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_of_all_is_resumed_with_another_number_of_workers(tmp_path):
    state, script = tmp_path / "state", tmp_path / "script.py"
    script.write_text(KILLED)
    ended = subprocess.run([sys.executable, str(script), str(state)], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    seen = []
    again = fs.sgd_ensemble("fig7", 1, **SMALL, checkpoint=state, resume=True, progress=lambda *n: seen.append(n))
    assert seen[0] == (2, 5) and seen[-1] == (5, 5)
    same(again, fs.simulate_sgd("fig7", 1, **SMALL))


class Steps:
    """Counts the steps of all replicas, and does something before one of them."""

    def __init__(self, monkeypatch, at, act):
        self.count, step = 0, GramSGD.step

        def counting(learner):
            self.count += 1
            if self.count == at:
                act()
            return step(learner)

        monkeypatch.setattr(GramSGD, "step", counting)


@pytest.mark.parametrize("damage", [None, b"", b"{}"])
def test_a_replica_goes_on_from_its_own_checkpoint(tmp_path, monkeypatch, damage):
    whole = fs.simulate_sgd("fig7", 1, **SMALL)
    with monkeypatch.context() as patch:
        steps = Steps(patch, 24 + 15, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(SweepInterrupted) as stopped:
            fs.sgd_ensemble("fig7", 1, **SMALL, checkpoint=tmp_path)
    assert stopped.value.done == 1 and steps.count == 24 + 15
    if damage is not None:
        (tmp_path / UNFINISHED / "1.npz").write_bytes(damage)
    with monkeypatch.context() as patch:
        steps = Steps(patch, 0, None)
        same(fs.sgd_ensemble("fig7", 1, **SMALL, checkpoint=tmp_path, resume=True), whole)
    assert steps.count == 4 * 24 - (15 if damage is None else 0)


def test_a_replica_that_fails_is_set_aside_and_tried_again(tmp_path, monkeypatch):
    whole = fs.simulate_sgd("fig7", 1, **SMALL)

    def fail():
        raise ArithmeticError("a bad day")

    with monkeypatch.context() as patch:
        step = GramSGD.step
        first = whole.records[1, 0, 0]
        patch.setattr(GramSGD, "step", lambda self: fail() if self.gram()[0, 1:].mean() == first else step(self))
        found = fs.sgd_ensemble("fig7", 1, **SMALL, checkpoint=tmp_path)
    assert found.ended.tolist() == [24, -1, 24, 24, 24] and not found.done
    assert found.sentences[1] == "Failed: ArithmeticError: a bad day."
    document = found.document()
    assert document["status"] == ["done", "failed", "done", "done", "done"] and set(document["R_mean"][1]) == {None}
    np.testing.assert_array_equal(found.records[[0, 2, 3, 4]], whole.records[[0, 2, 3, 4]])
    same(fs.sgd_ensemble("fig7", 1, **SMALL, checkpoint=tmp_path, resume=True), whole)


def test_many_quick_replicas_share_a_chunk():
    arguments = {**SMALL, "replicas": 50, "steps": 2, "every": 2}
    seen = []
    run = fs.sgd_ensemble("fig7", 1, **arguments, progress=lambda *counts: seen.append(counts))
    same(run, fs.simulate_sgd("fig7", 1, **arguments))
    assert 10 < len(seen) < 30 and seen[-1] == (50, 50)


def test_bad_input(tmp_path, monkeypatch):
    state, file = tmp_path / "state", tmp_path / "file"
    file.touch()
    cases = [
        ({"workers": -1}, r"workers = -1: must be a whole number from 0"),
        ({"workers": 2.5}, r"workers = 2\.5: must be a whole number"),
        ({"m": 0}, r"m = 0: the width"),
        ({"resume": True}, r"no directory to go on from"),
        ({"checkpoint": state, "resume": True}, r"holds no ensemble"),
        ({"checkpoint": file}, r"is a file, and an ensemble with workers is kept in a directory"),
        ({"checkpoint": file / "below"}, r"cannot be written"),
        ({"workers": 1, "scheduler": "tcp://127.0.0.1:1"}, r"cannot be combined with a scheduler"),
    ]
    for changed, message in cases:
        with pytest.raises(fs.InputError, match=message):
            fs.sgd_ensemble("fig7", 1, **{**SMALL, **changed})
    few = {**SMALL, "replicas": 1, "checkpoint": state}
    fs.sgd_ensemble("fig7", 1, **few)
    with pytest.raises(fs.InputError, match="is there already"):
        fs.sgd_ensemble("fig7", 1, **few)
    with pytest.raises(fs.InputError, match=r"gamma = 0\.4.*has 0\.3"):
        fs.sgd_ensemble("fig7", 1, **{**few, "gamma": 0.4}, resume=True)
    one = GramSGD.memory(Setting(40, 60, 6, 0.3, 1.0, "float64"))
    monkeypatch.setattr(arguments, "free_memory", lambda: 2.5 * one)
    fs.sgd_ensemble("fig7", 1, **{**SMALL, "steps": 1, "every": 1}, workers=0)
    with pytest.raises(fs.InputError, match=r"for 5 replicas at once.*Take fewer workers"):
        fs.sgd_ensemble("fig7", 1, **SMALL, workers=9)
