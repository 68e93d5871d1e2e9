"""
The classics
============

The same functions draw any planar fast-slow system. Left: van der Pol's oscillator, y' = -ε x, whose orbit jumps at
both folds for ever. Right: FitzHugh and Nagumo's neuron at a constant current. Solid green arcs attract the fast
variable, dashed ones repel it; the thin black line is the differential equation itself.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastslow as fs
from fastslow.plot.portrait import portrait
from fastslow.plot.style import INK, STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(2, 2, figsize=(11, 8), height_ratios=(2.2, 1))
figure.subplots_adjust(left=0.065, right=0.985, top=0.95, bottom=0.07, hspace=0.25, wspace=0.16)
for (above, below), name, start in zip(axes.T, ("van_der_pol", "fitzhugh_nagumo"), ((2, 0), (0, 0)), strict=True):
    portrait(above, fs.analyze(name))
    run = fs.simulate(name, start, 600, times=np.linspace(0, 600, 3000))
    below.plot(run.t, run.x, color=INK, linewidth=1.2)
    below.set(xlabel="time t", ylabel=above.get_xlabel())
plt.show()
