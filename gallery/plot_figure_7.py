"""
Figure 7: the network itself, trained by SGD
============================================

The plane of R and a for c = (1, 1, 1), c* = (1, -2, 1), γ = 1, over the critical manifold (green) with its
equilibria, the saddle (0.3598, 0.6901) and the node (1, 1/3). Thin blue: single networks; thick: their mean, in a band
of one standard deviation. Black dots: the differential equation of infinite width. Dashes: that of width m with the
noise of its batches.

Left, the scale of the paper: n = d = 10^4, m = 500, 10^4 steps, exact in law by the Gram matrix. Two full runs are
kept, every 100 steps: seed 7 in float64 (35 minutes of processor time) and seed 8 in float32 (19 minutes). The band is
the spread of R over the neurons of a network, averaged over the two. Right, 16 networks at a tenth of it, n = d = 1000,
m = 50, over the same time τ = 20; the band is the spread over networks: width and batch noise hold R and a back. The
paper does not give the initial scale and the noise: here a0 = 1 and 0. It also shows m = 1000: no such run is kept.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.portrait import background
from fastslow.plot.style import INK, OTHER_FATES, STYLE, UNLEARNING

SEED = 7
plt.style.use(STYLE)
figure, axes = plt.subplots(1, 2, figsize=(11.5, 5.6))
figure.subplots_adjust(left=0.06, right=0.985, top=0.94, bottom=0.1, wspace=0.14)
result, orbit = fs.analyze("fig7", 1), fs.simulate("fig7", 1, 20)
for panel, name in zip(axes, ("figure_7", "figure_7_ensemble"), strict=True):
    run = json.loads((Path(__file__).parent / "records" / f"{name}.json").read_text())
    R, a, spread = (np.array(run[key]) for key in ("R_mean", "a_mean", "R_std"))
    band = R.std(axis=0) if len(R) > 2 else spread.mean(axis=0)
    background(panel, result, (-0.05, 1.05, -0.12, 2.2))
    panel.plot(R.T, a.T, color=UNLEARNING, linewidth=0.5, alpha=0.5)
    panel.fill_betweenx(
        a.mean(axis=0), R.mean(axis=0) - band, R.mean(axis=0) + band, color=UNLEARNING, alpha=0.25, linewidth=0
    )
    panel.plot(R.mean(axis=0), a.mean(axis=0), color=UNLEARNING, linewidth=2.4, label="SGD")
    width = fs.finite_width("fig7", m=run["m"], gamma=1, delta=run["n"] / run["d"])
    finite = width.solve([0, 0, 1], np.linspace(0, 20, 400))
    panel.plot(finite.R, finite.a, color=OTHER_FATES[0], linewidth=2, linestyle="--", label="finite width, with noise")
    panel.plot(orbit.x, orbit.y, color=INK, linewidth=1.6, linestyle=":", label="infinite width")
    panel.set_title(f"n = d = {run['n']}, m = {run['m']}, {run['steps']} steps, {len(R)} networks")
    panel.set_xlabel("alignment R")
axes[0].set_ylabel("second-layer scale a")
axes[0].legend(loc="upper right", bbox_to_anchor=(0.94, 1.0))
plt.show()
