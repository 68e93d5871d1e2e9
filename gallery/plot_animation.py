"""
An orbit on the manifold, with its loss
=======================================

A moving picture: the start a0 = 9 of Figure 4 jumps to the critical manifold, creeps along it to the fold, falls off
near τ = 139 and learns. Right: its test loss at the same time, on a logarithmic axis.
"""

import matplotlib.animation
import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.portrait import portrait
from fastslow.plot.style import LEARNING, STYLE
from fastslow.plot.time_courses import time_course

FRAMES = 60
plt.style.use(STYLE)
figure, (plane, loss) = plt.subplots(1, 2, figsize=(9.6, 4.4), width_ratios=(1.25, 1))
figure.subplots_adjust(left=0.065, right=0.985, top=0.93, bottom=0.12, wspace=0.2)
result = fs.analyze("fig4", 9)
portrait(plane, result, full_system=False, names=False, frame=(-0.19, 1.06, -1, 12))
time_course(loss, fs.simulate("fig4", 9, 1000), "energy", levels="nowhere")
# The steps of the integration are close where the orbit is fast. Frames are at equal steps of the way and of log time
# together, so that neither picture is too fast.
path = result.orbits[0].trajectory
t = np.clip(path.t, loss.get_xlim()[0], 1000)
way = np.cumsum(np.hypot(np.gradient(path.x), np.gradient(path.y) / 12))
pace = way / way[-1] + np.log(t / t[0]) / np.log(t[-1] / t[0])
even = np.interp(np.linspace(pace[0], pace[-1], 20 * FRAMES), pace, np.arange(len(t)))
t, R, a = (np.interp(even, np.arange(len(t)), values) for values in (t, path.x, path.y))
E = result.system.energy(R, a)
(trail,) = plane.plot([], [], color="black", linewidth=2.5, zorder=11)
(dot,) = plane.plot([], [], "o", color="black", markersize=10, zorder=12)
(mark,) = loss.plot([], [], "o", color=LEARNING, markersize=10, zorder=12)


def draw(k):
    """Move the marks to a step of the run."""
    trail.set_data(R[: k + 1], a[: k + 1])
    dot.set_data([R[k]], [a[k]])
    mark.set_data([t[k]], [E[k]])
    return trail, dot, mark


animation = matplotlib.animation.FuncAnimation(figure, draw, frames=range(0, len(t), 20), interval=80, blit=False)
plt.show()
