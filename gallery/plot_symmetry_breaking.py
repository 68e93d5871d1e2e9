"""
Until when two variables are enough
===================================

Two variables describe a network as long as its neurons are alike. They begin spread by d^{-1/2}, and the spread grows
like exp ∫ μ dτ, with μ the transverse rate along the orbit.

Left: that exponent for settings of the paper, infinite width. Where it crosses a dotted line, ½ ln d, neurons part; a
curve that stays below will never do so. The system of Figure 7 never grows, so that there SGD may be compared at any
time.

Right: the spread of the alignments R_i in the setting of Figure 3 (right) from a0 = 4. Above, equation (16), SGD
without noise, at d = 10^8: it follows the linear law (dashed) over almost three decades and saturates where neurons are
predicted to part, where the growth is ½ ln d. Below, one run of SGD at d = 1000, with n = 150 000 for little noise (a
kept record, seed 7): it stays within 25 % of the law until τ = 0.13, then jumps to 0.13 by τ = 0.145, as if one neuron
of the forty went ahead. That is a quarter before the predicted 0.191: from 0.03 there is little way to order one.
"""

import json
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.style import INK, MANIFOLD, NEUTRAL, OTHER_FATES, STYLE, UNLEARNING

plt.style.use(STYLE)
figure, axes = plt.subplot_mosaic([["growth", "neurons"], ["growth", "sgd"]], figsize=(12, 5.6))
figure.subplots_adjust(left=0.06, right=0.985, top=0.94, bottom=0.1, wspace=0.17, hspace=0.34)
left, above, below = axes["growth"], axes["neurons"], axes["sgd"]
settings = (("3-left", 1), ("3-right", 4), ("6-right", 5), ("7", 1))
for (name, a0), color in zip(settings, (MANIFOLD, OTHER_FATES[0], UNLEARNING, INK), strict=True):
    window = fs.validity_window(f"fig{name}", a0, n=10**8, d=10**8, m=10**6, gamma=1e-3)
    left.plot(window.tau_grid, window.growth, color=color, label=f"Figure {name.replace('-', ' ')}, $\\bar a$ = {a0}")
for d, half in ((3, 0.5 * np.log(1e3)), (8, 0.5 * np.log(1e8))):
    left.axhline(half, color=NEUTRAL, linestyle=":")
    left.annotate(f"½ ln d, d = $10^{d}$", (0.012, half), (0, 3), textcoords="offset points", fontsize=8)
left.set_yscale("asinh", linear_width=10)
left.set(title="logarithm of the growth of the spread of neurons", xlabel="time τ", ylabel="∫ μ dτ")
left.set(xscale="log", xlim=(1e-2, 1e4), ylim=(-20, 300), yticks=[-10, 0, 10, 100])
left.legend(loc="upper right", fontsize=7.5, handlelength=1.2)

times = np.append(0.0, np.geomspace(1e-6, 0.25, 3000))
neurons = fs.simulate_neurons("fig3-right", 4, times[::5], overlaps=fs.random_overlaps(60, 10**8, seed=7))
above.plot(neurons.tau, neurons.R.std(axis=1), color=MANIFOLD, linewidth=2, label="equation (16), m = 60, d = $10^8$")
sgd = json.loads((files("fastslow_gallery") / "records" / "symmetry_breaking.json").read_text())
below.plot(sgd["tau"], sgd["R_std"][0], color=UNLEARNING, linewidth=2, label=f"SGD, m = {sgd['m']}, d = {sgd['d']}")
noise = {"gamma": sgd["gamma"], "delta": sgd["n"] / sgd["d"]}
cases = ((above, 60, 10**8, {}, neurons.R[0].std()), (below, sgd["m"], sgd["d"], noise, sgd["R_std"][0][0]))
for panel, m, d, options, start in cases:
    network = fs.finite_width("fig3-right", m=m, **options)
    growth = fs.spread_growth(network, network.solve(4, times))
    panel.plot(times, start * np.exp(growth), color=INK, linestyle="--", label="linear law at this width")
    parting = times[np.argmax(growth > 0.5 * np.log(d))]
    panel.axvline(parting, color=NEUTRAL, linestyle=":", label=f"predicted parting, τ = {parting:.3f}")
    panel.set(yscale="log", ylabel="spread of $R_i$", xlim=(0, 0.25), ylim=(0.3 * start, 2))
    panel.legend(loc="upper left", fontsize=7.5)
below.set_xlabel("time τ")
plt.show()
