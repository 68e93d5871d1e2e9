"""
Figure 4: early learning, late learning, unlearning
===================================================

Three initial scales of one network, c = (1, 1, 1, 1, 1) and c* = (1, -1, 1, 1, 1).
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
result = fs.analyze("fig4")
figure, axes = plt.subplots(figsize=(9, 6))
portrait(axes, result)
plt.show()
