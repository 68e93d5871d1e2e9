"""Direct SGD by PyTorch, where it is installed; and what is said where it is not."""

import importlib.util

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd import simulation
from fastslow.sgd.direct import DirectSGD
from tests.sgd.ensembles import CASES, KINDS, NAMES, NETWORK, p_values, statistics

INSTALLED = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
SMALL = {"n": 70, "d": 40, "m": 6, "gamma": 0.3, "steps": 24, "seed": 3, "every": 5, "method": "direct"}
TORCH = {**SMALL, "backend": "torch"}


@INSTALLED
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_the_same_seed_is_the_same_training_up_to_rounding(dtype, tolerance):
    model = fs.TwoLayer([1, "1/2", "1/3", 0, "1/50"], [1, -1, "1/2", 0, 0], noise="1/2", slow_rate="3/2")
    runs = [fs.simulate_sgd(model, 1, **SMALL, dtype=dtype, replicas=2, backend=b) for b in ("numpy", "torch")]
    for name in ("records", "R", "a"):
        one, other = (getattr(run, name) for run in runs)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert np.ptp(runs[1].course("R_mean")[0]) > 100 * tolerance and runs[1].document()["backend"] == "torch"


@INSTALLED
def test_checkpoints_resume_bit_for_bit(tmp_path, monkeypatch):
    whole = fs.simulate_sgd("fig7", 1, **TORCH, replicas=2)
    path = tmp_path / "state.npz"

    class Stopped(BaseException):
        pass

    def stop(done, _):
        if done == 39:
            raise Stopped

    monkeypatch.setattr(simulation, "_CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(Stopped):
        fs.simulate_sgd("fig7", 1, **TORCH, replicas=2, checkpoint=path, progress=stop)
    again = fs.simulate_sgd("fig7", 1, **TORCH, replicas=2, checkpoint=path, resume=True)
    for name in ("records", "R", "a"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    with pytest.raises(fs.InputError, match="backend is torch there, None here"):
        fs.simulate_sgd("fig7", 1, **SMALL, replicas=2, checkpoint=path, resume=True)


@INSTALLED
def test_the_generator_of_a_device_gives_the_same_law_and_is_saved():
    """What a GPU does, with a generator of PyTorch for the samples, on the CPU."""
    import torch

    from fastslow.sgd.torch_direct import TorchSGD

    class OwnSamples(TorchSGD):
        def __init__(self, network, setting, seed):
            super().__init__(network, setting, seed)
            self._generator = torch.Generator()
            self._generator.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))

    case = CASES["n > m, d > 2m + 1"]
    values = p_values(statistics(OwnSamples, case, 600, 7), statistics(KINDS["direct"], case, 600, 8))
    assert values.min() > 1e-4, dict(zip(NAMES, values, strict=True))
    one, other = (OwnSamples(NETWORK, case, np.random.SeedSequence(k)) for k in (1, 2))
    one.step()
    other.restore(one.save())
    assert one.step() == other.step() and (one.gram() == other.gram()).all()


@INSTALLED
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_divergence_is_told(dtype):
    run = fs.simulate_sgd("fig7", 5, **{**TORCH, "gamma": 300.0}, dtype=dtype)
    assert not run.done and "Diverged at step" in run.sentences[0] and "|a|" in run.sentences[0]


@INSTALLED
def test_threads_are_given_back():
    import torch

    before = torch.get_num_threads()
    fs.simulate_sgd("fig7", 1, **TORCH, threads=before + 1)
    assert torch.get_num_threads() == before


@INSTALLED
def test_a_gpu_that_is_not_there():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(fs.InputError, match=r"device = 'cuda': PyTorch finds no CUDA device.*--device cpu"):
        fs.simulate_sgd("fig7", 1, **TORCH, device="cuda")


def test_without_pytorch_it_is_said_how_to_install_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    with pytest.raises(fs.InputError, match=r"needs PyTorch, which is not installed.*fastslow\[torch\]"):
        fs.simulate_sgd("fig7", 1, **TORCH)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"backend": "jax"}, r"backend = 'jax': must be numpy or torch"),
        ({"device": "tpu"}, r"device = 'tpu': must be cpu or cuda"),
        ({"device": "cuda"}, r"device = 'cuda': the numpy backend computes on the cpu.*--backend torch"),
        ({"backend": "torch", "method": "gram"}, r"backend = 'torch': trains the weights.*--method direct"),
    ],
)
def test_bad_combinations(changed, message):
    with pytest.raises(fs.InputError, match=message):
        fs.simulate_sgd("fig7", 1, **{**SMALL, **changed})


def test_blocks_are_bounded_in_both_lengths():
    """Of wide networks in few dimensions, too: a block with its pre-activations stays within 64 MiB."""
    from fastslow.sgd.direct import block_size
    from fastslow.sgd.learner import Setting

    for d, m in ((10, 10**4), (10**4, 10), (3, 3)):
        count = block_size(Setting(10**7, d, m, 1.0, 1.0, "float64"))
        assert 64 <= count < 10**7 and 8 * count * (d + m + 1) <= 1 << 26
    assert DirectSGD.memory(Setting(10**7, 10, 1000, 1.0, 1.0, "float64")) < 2e8
