"""
Phase boundary with its corners
===============================

Where the critical initial scale of c = (1, 1, 1), c* = (1, s, 1) changes with s, as curves and not as a grid. In the
singular limit (dashed) the boundary is made of pieces: the height of an equilibrium, of a fold, of a crossing. They
meet in corners of codimension 2, whose places are exact: a canard point where an equilibrium sits on a fold, a cusp
where two folds are born (s = -99/64, a = 27/16).

The full system at slow rate 1 (solid) has a smooth boundary, which ends where the saddle connects to another one.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.phase_map import phase_map
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(figsize=(9, 6.2))
figure.subplots_adjust(left=0.08, right=0.98, top=0.87, bottom=0.09)
system = fs.TwoLayer([1, 1, 1], [1, "-3/2", 1])
found = fs.phase_map(system, "c_star[2]=-3:0:300", "a0=0.05:6:300")
phase_map(axes, found, found.boundaries())
plt.show()
