"""
Figure 6: scaling laws of unlearning
====================================

Upper row: a and R on the way to (0, ∞), log-log. The dashed lines are not fitted: Theorem 3 with its constants, the
power and the prefactor, a = (8τ)^{1/4} (left, case i) and (6τ)^{1/3} (right, case ii). The triangles have the slopes.

Lower row: the local slopes, which tell how slowly the powers are reached. On the right, at τ = 10^6, where one would
read a figure by eye, a is still 4 % below its law.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.style import STYLE
from fastslow.plot.tails import local_slopes, tails

plt.style.use(STYLE)
figure, axes = plt.subplots(2, 2, figsize=(10.5, 7.4), height_ratios=(1.5, 1))
figure.subplots_adjust(left=0.065, right=0.955, top=0.95, bottom=0.07, hspace=0.3, wspace=0.28)
settings = (
    ("fig6-left", 10, "$c^*$ = (1, 0, 0, 0, 0, 0, ½), $\\bar a$ = 10:  $a \\to (8τ)^{1/4}$"),
    ("fig6-right", 5, "$c^*$ = (1, −1, 1), $\\bar a$ = 5:  $a \\to (6τ)^{1/3}$"),
)
for (above, below), (name, a0, title) in zip(axes.T, settings, strict=True):
    law = fs.scaling(name, a0, tau=1e10)
    tails(above, law)
    local_slopes(below, law)
    above.set_title(title)
    below.legend(loc="lower right")
plt.show()
