"""
The flow graph, in the plane and as a graph
===========================================

Left: the critical manifold of the network of Figure 4 with its slow flow. Right: the same as a graph. Nodes are
special points, infinity included; solid edges are slow drift along an attracting arc, dashed ones jumps at a fold.
What has no edge out is an attractor, and everything that leads to it its basin.
"""

import matplotlib.pyplot as plt

import fastslow as fs
from fastslow.plot.flow_graph import flow_graph
from fastslow.plot.portrait import portrait
from fastslow.plot.style import STYLE

plt.style.use(STYLE)
figure, axes = plt.subplots(1, 2, figsize=(14, 6), width_ratios=(1, 1.6))
figure.subplots_adjust(left=0.045, right=0.99, top=0.93, bottom=0.09, wspace=0.06)
result = fs.analyze("fig4")
portrait(axes[0], result, full_system=False)
flow_graph(axes[1], result).legend(loc="lower center", ncols=2, handlelength=4, fontsize=10)
plt.show()
