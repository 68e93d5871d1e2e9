"""
The classics
============

The same functions draw any planar fast-slow system. Six classics, the fast variable to the right: van der Pol's
oscillator, FitzHugh's model of a nerve, the muscle fibre of Morris and Lecar, Rosenzweig and MacArthur's prey with a
slow predator, an exothermic reaction with a slow flow, and the box model of Stommel, tipped by rising freshwater.

Solid green arcs attract the fast variable, dashed ones repel it. Purple is the orbit of the singular limit: it drifts
along an attracting arc (thick) and jumps at its fold (dashed, diamonds). Yellow is the limit cycle of the differential
equation at the slow rate ε told above, with its period T; the thin black line is its solution from the start. The last
has no cycle: past the fold it jumps once and stays on the other branch.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

CLASSICS = {
    "van_der_pol": ("van der Pol", (-2.6, 2.6, -0.95, 0.95)),
    "bonhoeffer_van_der_pol": ("FitzHugh", (-2.6, 2.6, -0.5, 1.5)),
    "morris_lecar": ("Morris, Lecar", (-75, 85, 0, 0.6)),
    "predator_prey": ("Rosenzweig, MacArthur", (-0.06, 1.1, 0, 0.5)),
    "ab_reaction": ("A → B", (-0.05, 1.05, 0.09, 0.122)),
    "stommel": ("Stommel", (0.1, 1.6, 0.9, 1.6)),
}
plt.style.use(STYLE)
figure, axes = plt.subplots(2, 3, figsize=(12, 8.4))
figure.subplots_adjust(left=0.07, right=0.985, top=0.96, bottom=0.145, wspace=0.26, hspace=0.28)
for panel, (name, (author, frame)) in zip(axes.flat, CLASSICS.items(), strict=True):
    result = fs.analyze(name)
    portrait(panel, result, names=False, frame=frame)
    period = "".join(f",  T = {cycle.period:.5g}" for cycle in result.limit_cycles.cycles)
    panel.set_title(f"{author},  ε = {float(result.system.slow_rate):.3g}{period}", fontsize=10)


def plain(label):
    """Return how the legend calls a line: the last panel settles, the others oscillate."""
    label = " ".join(label.split()).split(", slow rate")[0]
    return f"singular limit: {label.split(': ')[1]}" if ": " in label else label


shared_legend(figure, axes.flat, plain, ncols=5)
plt.show()
