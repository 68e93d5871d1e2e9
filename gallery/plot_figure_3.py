"""
Figure 3: portraits of learning and unlearning
==============================================

The plane of alignment R and second-layer scale a, with the critical manifold (green), its certified folds and
equilibria, and the orbits of starts on the a-axis: red ones learn, blue ones unlearn.

Right, c* = (1, -1, 1, -1, 1): starts below 4.50749 learn, those above unlearn. That threshold is where the stable
manifold of the saddle E3 (dash-dotted) meets the axis, exact and not bisected.

Left, c* = (1, 1, 1, 1, 1): the paper shows a blue orbit here without its start. No start with a0 > 0 unlearns; those
below -4.50749 do, the mirror image of the right-hand system, so that the left-hand plane goes down to there.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(1, 2, figsize=(12.5, 6.6))
figure.subplots_adjust(left=0.062, right=0.985, top=0.95, bottom=0.165, wspace=0.14)
portrait(axes[0], fs.analyze("fig3-left", [1, 2, 4, 6, -2, -4, -6]))
portrait(axes[1], fs.analyze("fig3-right", [1, 2, 3, 4, 6, 8]))
axes[1].set_ylabel("")
shared_legend(figure, axes, ncols=6)
plt.show()
