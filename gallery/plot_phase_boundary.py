"""
Phase boundary with its corners
===============================

Critical initial scales of c* = (1, x, -1, 1, 1) as curves and not as a grid, dashed in the singular limit, solid in
the full system. In the singular limit the boundary is made of pieces, the height of a fold, of an equilibrium, of a
crossing, which meet in corners of codimension 2. Their places are exact: at the canard point an equilibrium sits on a
fold; at x = 0 one comes from infinity. Across the grey curve orbits end elsewhere, with the same fate; at its end two
equilibria are born.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.phase_map import phase_map
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(figsize=(9, 6.2))
figure.subplots_adjust(left=0.08, right=0.98, top=0.87, bottom=0.09)
network = fs.TwoLayer(c=[1, 1, 1, 1, 1], c_star=[1, 1, -1, 1, 1])
found = fs.phase_map(network, "c_star[2]=-2.2:1.2:300", "a0=0.5:20:300")
phase_map(axes, found, found.boundaries())
axes.set_title("$c^*$ = (1, x, −1, 1, 1)", loc="right")
plt.show()
