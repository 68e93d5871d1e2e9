"""
Figure 5: phase maps of unlearning
==================================

The fate of every start, with the computed boundaries over it: solid the stable manifolds of the full system at slow
rate 1, dashed its singular limit. They part at small a0, where R is not fast.

Upper left, as in the paper: c* = (1, -1, x, 1, 1). In the singular limit the boundary is an equilibrium to the right
of the canard point (-0.328664, 5.37788) and a fold to the left of it.

Upper right, as the paper captions its right-hand map: c* = (1, 1, -1, x, 1). Everything learns; there is nothing to
see for a0 > 0. The map is not trivial for a0 < 0 (lower left), nor if the coefficient that varies is c*_2 (lower
right). The ranges of the axes are ours, the paper gives none.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.phase_map import phase_map
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(2, 2, figsize=(11, 9.4))
figure.subplots_adjust(left=0.065, right=0.985, top=0.96, bottom=0.1, hspace=0.28, wspace=0.17)
ones = [1, 1, 1, 1, 1]
panels = (
    ([1, -1, 1, 1, 1], "c_star[3]=-5:5:200", "a0=0.5:15:200"),
    ([1, 1, -1, 1, 1], "c_star[4]=-5:5:200", "a0=0.5:15:200"),
    ([1, 1, -1, 1, 1], "c_star[4]=-5:5:200", "a0=-15:-0.5:200"),
    ([1, 1, -1, 1, 1], "c_star[2]=-5:5:200", "a0=0.5:15:200"),
)
for panel, (link, x, y) in zip(axes.flat, panels, strict=True):
    found = fs.phase_map(fs.TwoLayer(ones, link), x, y)
    phase_map(panel, found, found.boundaries())
    place = int(x[7]) - 1
    shown = ", ".join("x" if k == place else str(value).replace("-", "−") for k, value in enumerate(link))
    panel.set_title(f"$c^*$ = ({shown})")
shared_legend(figure, axes.flat, ncols=5)
plt.show()
