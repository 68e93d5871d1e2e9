"""
Figure 1: fast jumps, slow drift, and two fates
===============================================

Left: the plane of alignment R and second-layer scale a. Green is the critical manifold f = 0, where R rests at frozen
a. Two starts on the axis R = 0 jump to it (dashed) and drift along it (solid). The red one falls off a fold, jumps
on, and *learns*: R goes to 1. The blue one starts above the threshold (yellow), climbs, and *unlearns*: R returns to
0.

Right: alignment and test loss in time. The loss falls like a staircase, one step for each jump; dotted lines are the
computed levels. Colours: the singular limit. Thin black: the differential equation at slow rate 1.

The paper does not give the setting of its Figure 1. Chosen here: c = (1, 1/2, 1/2), c* = (1, -2, 3), a0 = 6.8 and
8.5, which has both fates, a second jump and steps of the loss that can be seen.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import LEARNING, STYLE, UNLEARNING
from fastslow.plot.time_courses import time_course

plt.style.use(STYLE)
figure, axes = plt.subplot_mosaic([["plane", "R"], ["plane", "loss"]], figsize=(11, 6), width_ratios=(1.35, 1))
figure.subplots_adjust(left=0.07, right=0.98, top=0.94, bottom=0.2, wspace=0.2, hspace=0.16)

network = fs.TwoLayer(c=[1, "1/2", "1/2"], c_star=[1, -2, 3])
starts = ("8.5", "6.8")
portrait(axes["plane"], fs.analyze(network, starts))
for a0 in starts:
    run, course = fs.simulate(network, a0, tau=1000), fs.singular_course(network, a0, 1000)
    time_course(axes["R"], run, "x", course)
    time_course(axes["loss"], run, "energy", course, levels="inside" if a0 == starts[-1] else "nowhere")
axes["R"].tick_params(labelbottom=False)
axes["R"].set_xlabel("")
axes["R"].text(1000, 0.93, "learns", ha="right", color=LEARNING)
axes["R"].text(1000, 0.13, "unlearns", ha="right", color=UNLEARNING)
shared_legend(figure, [axes["plane"]], ncols=5)
plt.show()
