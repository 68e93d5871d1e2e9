"""
Width decides the fate
======================

The network of Figure 6 (right) from a0 = 5, with the terms of order 1/m that a network of width m has.

Left, simulated: infinite width (dashed) unlearns, R goes to 0. Up to m = 2000 a network follows for a while, turns
round and *learns* (red). From 4000 on it unlearns (blue), but R stays above 0.

Middle, predicted: the equilibria against the width, stable ones solid, saddles dashed. A stable one with large a and a
saddle are born in a saddle-node (diamond) at m = 3851.41; narrower networks have nowhere to go but to learning. The
fate of a0 = 5 (dotted) changes at m = 3851.602, where it leaves the basin across the saddle's stable manifold. Dots are
the ends of the simulated solutions; for large m the upper curve is (m K / Y(1))^{1/3}, with Theorem 3's constants.

Right: the plane of R and a for m = 4000, with the critical manifold of that width (green) and its equilibria. The
threshold a0 = 4.68054 (bar) parts the starts 4.6 and 4.8.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.finite_width import finite_width_plane, width_equilibria
from fastslow.plot.style import INK, NEUTRAL, STYLE, fate_color

plt.style.use(STYLE)
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.8))
figure.subplots_adjust(left=0.05, right=0.985, top=0.93, bottom=0.11, wspace=0.22)
tau = np.append(0.0, np.geomspace(0.01, 3e6, 400))
for m, at in ((500, 0.66), (1000, 0.66), (2000, 0.66), (4000, 0.145), (10_000, 0.095), (30_000, 0.025)):
    course = fs.finite_width("fig6-right", m=m).solve([0, 0, 5], tau)
    color = fate_color(fs.finite_width("fig6-right", m=m).rest([0, 0, 5]).verdict, [])
    left.plot(course.tau, course.R, color=color)
    middle.plot(m, course.a[-1], marker="o", color=color, zorder=5)
    place, turn = ((course.tau[np.argmax(at < course.R)] * 0.93, at), 90) if m < 3000 else ((2.6e6, at), 0)
    left.text(*place, f"m = {m}", color=color, fontsize=8, rotation=turn, ha="right")
limit = fs.simulate("fig6-right", 5, tau=3e6)
left.plot(limit.t, limit.x, color=INK, linestyle="--", label="infinite width")
left.set(xscale="log", xlabel="time τ", ylabel="alignment R", xlim=(1, 3e6), ylim=(0, 1.05))
left.legend(loc="center right")

widths = fs.width_diagram("fig6-right", (200, 1e5), a0=(5,))
width_equilibria(middle, widths)
(born,), (change,) = widths.points, widths.critical[5]
middle.axhline(5, color=NEUTRAL, linestyle=":")
middle.text(1e5, 5.1, "$\\bar a$ = 5", ha="right", fontsize=8.5)
middle.text(born.m, 6, f"saddle-node m = {born.m:.6g}\nfate changes {change.m:.7g}", ha="right", fontsize=8.5)

found = fs.finite_width_thresholds("fig6-right", m=4000)
finite_width_plane(right, found.manifold, fates=found, starts=(4.6, 4.8))
right.set_ylim(0, 8)
left.set_title("simulated")
middle.set_title("equilibria predicted, ends of runs (dots)")
right.set_title("the plane of m = 4000")
plt.show()
