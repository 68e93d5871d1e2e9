"""
Width decides the fate
======================

The network of Figure 6 (right) from a0 = 5, of infinite width (black) and of widths m (colours), with the terms of
order 1/m that a finite network has. Infinite width unlearns: R goes to 0 and a grows like (6τ)^{1/3}. A network of up
to 2000 neurons follows for a while, turns round and *learns* (red). From 4000 on it unlearns (blue), up to a finite
scale: the triangles on the right are (m K / Y(1))^{1/3}, with the constants of Theorem 3.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.style import INK, STYLE, fate_color

plt.style.use(STYLE)
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.8))
figure.subplots_adjust(left=0.065, right=0.92, top=0.95, bottom=0.11, wspace=0.22)
tau = np.append(0.0, np.geomspace(0.01, 3e6, 400))
widths = (500, 1000, 2000, 4000, 10_000, 30_000)
for m in widths:
    network = fs.finite_width("fig6-right", m=m)
    course, rest = network.solve([0, 0, 5], tau), network.rest([0, 0, 5])
    color = fate_color(rest.verdict, [])
    left.plot(course.tau, course.R, color=color)
    right.plot(course.tau, course.a, color=color)
    if rest.verdict == "unlearning":
        right.annotate(f"m = {m}", (tau[-1], rest.a), (5, -3), textcoords="offset points", fontsize=8.5, color=color)
    else:
        up = course.tau[np.argmax(course.R > 0.6)]
        left.annotate(
            f"m = {m}", (up, 0.6), (-10, 0), textcoords="offset points", fontsize=8.5, color=color, rotation=90
        )
limit = fs.simulate("fig6-right", 5, tau=3e6)
left.plot(limit.t, limit.x, color=INK, linestyle="--", label="infinite width")
right.plot(limit.t, limit.y, color=INK, linestyle="--")
left.set(xscale="log", xlabel="time τ", ylabel="alignment R", xlim=(1, 3e6), ylim=(0, 1.05))
right.set(xscale="log", yscale="log", xlabel="time τ", ylabel="second-layer scale a", xlim=(1, 3e6), ylim=(0.3, 100))
left.legend(loc="center right")
plt.show()
