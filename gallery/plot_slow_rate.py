"""
Where the singular limit fails
==============================

The system of Figure 7, c* = (1, -2, 1). Its singular limit, slow rate 0, says that starts below 0.37662 learn. But
the speed of R is proportional to a, so that R is not fast from a small start: the exact boundary of the full system
falls with the slow rate and is gone at 0.29660601718, where two saddles connect. The paper's system has slow rate 1:
there, every start unlearns.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.phase_map import phase_map
from fastslow.plot.style import INK, STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(figsize=(8.4, 5.8))
figure.subplots_adjust(left=0.09, right=0.98, top=0.89, bottom=0.1)
found = fs.phase_map("fig7", "slow_rate=0.001:0.5:300", "a0=0.01:0.6:300")
phase_map(axes, found, found.boundaries())
(connection,) = fs.connections("fig7", "slow_rate", (0.2, 0.4)).found
axes.axvline(connection.value, color=INK, linewidth=0.8, linestyle=":")
axes.annotate(f"saddle connection\n$\\eta_c$ = {connection.value:.8f}", (connection.value, 0.5), (8, 0),
              textcoords="offset points", fontsize=9)  # fmt: skip
axes.text(0.305, 0.2, "the singular limit learns,\nthe full system unlearns", fontsize=9)
axes.set_title("$c^*$ = (1, −2, 1)", loc="right")
plt.show()
