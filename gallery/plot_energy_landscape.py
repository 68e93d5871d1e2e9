"""
The energy landscape
====================

The test loss over the plane of R and a, for the network of Figure 4, as level lines: at slow rate 1 the flow is its
gradient flow in arcsin R, so every orbit goes downhill. Learning (red) falls into the valley at R = 1; unlearning
(blue) climbs nothing either, it follows the faint valley along the manifold (green) to infinity. The saddle between
them is the pass, and its stable manifold (dash-dotted) the watershed.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.portrait import portrait
from fastslow.plot.style import LEARNING, STYLE, UNLEARNING

plt.style.use(STYLE)
figure, axes = plt.subplots(figsize=(10, 6.4))
figure.subplots_adjust(left=0.075, right=1.0, top=0.95, bottom=0.09)
result = fs.analyze("fig4", [2, 5, 9, 10, 12])
frame = (-0.12, 1.04, -1, 15)
R, a = np.meshgrid(np.linspace(0, 1, 400), np.linspace(*frame[2:], 400))
loss = result.system.energy(R, a)
# Heights over the loss of the start, 76.5, on a scale that shows thousandths as well as thousands.
height = np.arcsinh((loss - 76.5) / 0.02)
image = axes.imshow(height, origin="lower", extent=(0, 1, *frame[2:]), aspect="auto", interpolation="bilinear",
                    cmap="YlGnBu_r", alpha=0.55, zorder=0)  # fmt: skip
axes.contour(R, a, height, levels=30, colors="white", linewidths=0.5, negative_linestyles="solid", zorder=0)
portrait(axes, result, frame=frame)
shown = np.array([5, 50, 75, 76, 76.4, 76.5, 76.6, 77, 80, 100, 1000, 10_000])
for fate, color, at in (("learning", LEARNING, 7), ("unlearning", UNLEARNING, 11)):
    axes.text(-0.012, at, fate, color=color, fontsize=9, ha="right", va="center")
bar = figure.colorbar(image, ax=axes, pad=0.02)
bar.set_ticks(np.arcsinh((shown - 76.5) / 0.02), labels=[f"{value:g}" for value in shown])
bar.set_label("test loss E")
plt.show()
