"""
Until when two variables are enough
===================================

Two variables describe a network as long as its neurons are alike. They begin spread by d^{-1/2}, and the spread grows
like exp ∫ μ dτ, with μ the transverse rate along the orbit.

Left: that exponent for settings of the paper, infinite width. Where it crosses a dotted line, ½ ln d, neurons part; a
curve that stays below will never do so. The system of Figure 7 never grows, so that there SGD may be compared at any
time.

Right: forty neurons of equation (16) in the setting of Figure 6 (right), d = 10^8, and when they are predicted to
part, with the rate at their width.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.style import INK, LEARNING, MANIFOLD, NEUTRAL, OTHER_FATES, STYLE, UNLEARNING
from fastslow.sgd.neurons import random_overlaps

SEED = 7
plt.style.use(STYLE)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8))
figure.subplots_adjust(left=0.06, right=0.985, top=0.95, bottom=0.11, wspace=0.2)
settings = (("2-left", 4), ("3-left", 1), ("3-right", 3), ("6-right", 5), ("7", 1))
for (name, a0), color in zip(settings, (LEARNING, MANIFOLD, OTHER_FATES[0], UNLEARNING, INK), strict=True):
    window = fs.validity_window(f"fig{name}", a0, n=10**8, d=10**8, m=10**6, gamma=1e-3)
    left.plot(window.tau_grid, window.growth, color=color, label=f"Figure {name.replace('-', ' ')}, $\\bar a$ = {a0}")
for d in (4, 8):
    half = 0.5 * np.log(10.0**d)
    left.axhline(half, color=NEUTRAL, linestyle=":")
    left.annotate(f"½ ln d, d = $10^{d}$", (0.012, half), (0, 3), textcoords="offset points", fontsize=8)
left.set(xscale="log", xlabel="time τ", ylabel="∫ μ dτ", xlim=(1e-2, 1e4), ylim=(-20, 250))
left.set_yscale("symlog", linthresh=30)
left.legend(loc="upper right", fontsize=7.5, handlelength=1.2)

m, times = 40, np.linspace(0.0, 2.0, 200)
run = fs.simulate_neurons("fig6-right", 5, times, overlaps=random_overlaps(m, 10**8, seed=SEED))
right.plot(run.tau, run.R, color=UNLEARNING, linewidth=0.7)
alike = fs.finite_width("fig6-right", m=m).solve([0, 0, 5], times)
right.plot(alike.tau, alike.R, color=INK, linestyle="--", label="as long as they are alike")
parting = fs.validity_window("fig6-right", 5, n=10**8, d=10**8, m=m, gamma=1e-3).times["permutation symmetry"]
right.axvline(parting, color=NEUTRAL, linestyle=":", label=f"predicted parting, τ = {parting:.2g}")
right.set(xlabel="time τ", ylabel="alignments $R_i$ of 40 neurons", xlim=(0, 2))
right.legend(loc="upper left")
plt.show()
