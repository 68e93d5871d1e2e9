"""
Figure 7: the network itself, trained by SGD
============================================

The plane of R and a for c = (1, 1, 1), c* = (1, -2, 1), γ = 1, over the critical manifold (green) with its
equilibria, the saddle (0.3598, 0.6901) and the node (1, 1/3); enlarged, where the networks go. Thin blue: single
networks; thick: their mean, in a band of one standard deviation. Dots: the differential equation of infinite width.
Dashes: that of width m with the noise of its batches.

First the scale of the paper, n = d = 10^4, m = 500 and 1000, exact in law by the Gram matrix and kept every 100
steps. m = 500: seed 7 in float64 (35 minutes of processor time) and seed 8 in float32 (19 minutes). m = 1000: seed 7
in float32 (about 75 minutes). The band is the spread of R over the
neurons of a network, averaged over the runs. The last panel shows 16 networks at a tenth of it, n = d = 1000, m = 50,
over τ = 20; the band is the spread over networks. Width and batch noise hold R and a back. The paper does not give
the initial scale and the noise: here a0 = 1 and 0.
"""

import json
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import background
from fastslow.plot.style import INK, OTHER_FATES, STYLE, UNLEARNING

SEED = 7
plt.style.use(STYLE)
names = ("figure_7.json", "figure_7_1000.json", "figure_7_ensemble.json")
records = [files("fastslow_gallery") / "records" / name for name in names]
runs = [json.loads(record.read_text()) for record in records if record.is_file()]
figure, axes = plt.subplots(1, len(runs), figsize=(1.2 + 4.6 * len(runs), 6), sharey=True)
figure.subplots_adjust(left=0.06, right=0.985, top=0.94, bottom=0.19, wspace=0.08)
result, orbit = fs.analyze("fig7", 1), fs.simulate("fig7", 1, 20)
for panel, run in zip(axes, runs, strict=True):
    R, a, spread = (np.array(run[key]) for key in ("R_mean", "a_mean", "R_std"))
    band, middle, scale = R.std(axis=0) if len(R) > 2 else spread.mean(axis=0), R.mean(axis=0), a.mean(axis=0)
    width = fs.finite_width("fig7", m=run["m"], gamma=1, delta=run["n"] / run["d"])
    finite = width.solve([0, 0, 1], np.linspace(0, run["tau"][-1], 400))
    background(panel, result, (-0.05, 1.05, -0.12, 2.2))
    inset = panel.inset_axes((0.38, 0.55, 0.5, 0.42))
    background(inset, result, (0.05, 0.21, 0.95 * scale.min(), 1.03 * scale.max()))
    for plane in (panel, inset):
        plane.plot(R.T, a.T, color=UNLEARNING, linewidth=0.5, alpha=0.5)
        plane.fill_betweenx(scale, middle - band, middle + band, color=UNLEARNING, alpha=0.25, linewidth=0)
        plane.plot(middle, scale, color=UNLEARNING, linewidth=2.4, label="SGD")
        plane.plot(finite.R, finite.a, color=OTHER_FATES[0], linewidth=2, linestyle="--", label="width m, with noise")
        plane.plot(orbit.x, orbit.y, color=INK, linewidth=1.6, linestyle=":", label="infinite width")
    many = f"{len(R)} networks" if len(R) > 1 else "one network"
    panel.set_title(f"n = d = {run['n']}, m = {run['m']}, {run['steps']} steps, {many}")
    panel.set_xlabel("alignment R")
axes[0].set_ylabel("second-layer scale a")
shared_legend(figure, axes, ncols=5)
plt.show()
