"""
Any activation
==============

The same teacher, He_1 + He_2 + He_3, and six activations by name or formula: their Hermite coefficients make the
critical manifold (green) and with it the fates, red for learning and blue for unlearning. Series that do not end are
cut after k = 9; certificates and verdicts are those of the network that was cut. An odd activation such as tanh does
not see the even part of the teacher, and unlearns; with a little x² it keeps R = 0.45.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(2, 3, figsize=(12, 8.3))
figure.subplots_adjust(left=0.055, right=0.985, top=0.95, bottom=0.155, hspace=0.25, wspace=0.14)
activations = ("relu", "gelu", "silu", "tanh", "erf(x) + x**2/4", "sin(2*x) + exp(-x**2)")
for panel, activation in zip(axes.flat, activations, strict=True):
    network = fs.two_layer(activation, "he1 + he2 + he3", order=9)
    result = fs.analyze(network, [1, 3, 6, 10])
    portrait(panel, result, names=False, frame=(-0.16, 1.06, -1, 14))
    panel.set_title(f"σ = {activation}", fontsize=11)
    panel.set_xlabel("alignment R" if panel in axes[1] else "")
    panel.set_ylabel("second-layer scale a" if panel in axes[:, 0] else "")
shared_legend(figure, axes.flat, ncols=5)
plt.show()
