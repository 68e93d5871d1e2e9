"""
Figure 4: immediate learning, a late jump, unlearning
=====================================================

One network, three initial scales. From a0 = 5 the alignment jumps at once and learns. From a0 = 9 it waits on the
first attracting arc, falls off its fold near τ = 139 and learns then: the test loss falls in two steps, whose levels
are the dotted lines. From a0 = 10, just above the threshold 9.31175..., it unlearns.

Top row: the plane of R and a with the critical manifold, its certified folds (diamonds) and equilibria, and the
threshold on the axis of starts. Below: R, a and test loss in time, singular limit in colour, full system in black.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE
from fastslow.plot.time_courses import time_course

plt.style.use(STYLE)
figure = plt.figure(figsize=(11, 12.2))
above, below = figure.subfigures(2, 1, height_ratios=(1, 1.55))
sides = {"left": 0.07, "right": 0.985, "wspace": 0.22}
planes, courses = above.subplots(1, 3), below.subplots(3, 3)
above.subplots_adjust(top=0.93, bottom=0.1, **sides)
below.subplots_adjust(top=0.99, bottom=0.185, hspace=0.1, **sides)

for number, a0 in enumerate((5, 9, 10)):
    column = [planes[number], *courses[:, number]]
    portrait(column[0], fs.analyze("fig4", a0), frame=(-0.21, 1.06, -1, 15))
    column[0].set_title(f"$\\bar a$ = {a0}", fontsize=12)
    run, course = fs.simulate("fig4", a0, tau=1e4), fs.singular_course("fig4", a0, 1e4)
    for panel, quantity in zip(column[1:], ("x", "y", "energy"), strict=True):
        time_course(panel, run, quantity, course)
    for panel in column[1:3]:
        panel.set_xlabel("")
        panel.tick_params(labelbottom=False)
    column[1].set_ylim(-0.03, 1.05)
    for panel in column if number else ():
        panel.set_ylabel("")
shared_legend(below, planes, ncols=5)
plt.show()
