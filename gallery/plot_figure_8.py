"""
Figure 8: a table of portraits
==============================

Rows: c*_2 = -5, -1.67, 1.67, 5. Columns: c*_3 = the same. Red starts learn, blue ones unlearn; green is the critical
manifold. Unlearning needs c*_2 < 0, the sign that the student's c_2 has not, and starts at higher a0 the larger c*_3
is. The red start that climbs out of the first panel of row 3 ends at R = 0.061, a = 17.9: that little is learned.

The paper fixes c_1 = c_2 = c_3 = 1 and c*_1 = 1 of seven coefficients. The others and the starts are not given: here
all others are 1, and a0 = 1, 3, 5, 10.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.legends import shared_legend
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
values = ("-5", "-1.67", "1.67", "5")
figure, axes = plt.subplots(4, 4, figsize=(12, 11.6))
figure.subplots_adjust(left=0.06, right=0.985, top=0.96, bottom=0.11, hspace=0.12, wspace=0.08)
for i, row in enumerate(axes):
    for j, panel in enumerate(row):
        portrait(panel, fs.analyze(f"fig8-{i + 1}-{j + 1}"), names=False, frame=(-0.24, 1.06, -1, 13.5))
        panel.set_yticks([0, 5, 10])
        panel.tick_params(labelbottom=i == 3, labelleft=j == 0)
        panel.set_title(f"$c^*_3$ = {values[j]}" if i == 0 else "", fontsize=11)
        panel.set_xlabel("alignment R" if i == 3 else "")
        panel.set_ylabel(f"$c^*_2$ = {values[i]}\nscale a" if j == 0 else "")
shared_legend(figure, axes.flat, ncols=5)
plt.show()
