"""
Figure 2: two time scales
=========================

Two networks with c = (1, 1, 1, 1, 1), left c* = (1, -1, 1, -1, 1) from a0 = 4, right c* = (2, 4, 6, 8, 10) from a0 =
1. The alignment R leaves 0 while a stays where it began; then both change slowly. Thin black: the differential
equation. Colour: its singular limit, whose jump takes no time.

The two lower rows measure it: the ratio of the slow to the fast eigenvalue of the Jacobian along the solution, and
how far the fast direction is that of R. To T = 10 the ansatz of the paper, a small average ratio ε and an alignment
near 1, is good for neither: ε = 0.27 and 0.059, alignment 0.09 and 0.35. Where learning ends, R is not the fast
direction.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.style import STYLE
from fastslow.plot.time_courses import time_course
from fastslow.plot.timescales import time_scales_courses

plt.style.use(STYLE)
figure, axes = plt.subplots(4, 2, figsize=(10, 8.6), sharex="col")
figure.subplots_adjust(left=0.075, right=0.985, top=0.96, bottom=0.06, hspace=0.27, wspace=0.2)
settings = (("fig2-left", 4, "1, -1, 1, -1, 1"), ("fig2-right", 1, "2, 4, 6, 8, 10"))
for column, (name, a0, link) in zip(axes.T, settings, strict=True):
    run, course = fs.simulate(name, a0, tau=10), fs.singular_course(name, a0, 10)
    time_course(column[0], run, "x", course)
    time_course(column[1], run, "y", course)
    time_scales_courses(column[2:], fs.time_scales(name, a0, 10))
    column[0].set_title(f"$c^*$ = ({link}), $\\bar a$ = {a0}")
    column[2].legend(loc="lower right", bbox_to_anchor=(1.01, 0.95), ncols=2)
    for panel in column[:3]:
        panel.set_xlabel("")
axes[0, 1].legend(loc="center right")
plt.show()
