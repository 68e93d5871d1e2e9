"""Sweeps: the same work on every cell of a grid, in one process, in several, or on a cluster.

A sweep is a grid with named coordinates, cut into chunks, and a function that computes the values of one chunk.
The engine knows nothing of what is computed. It holds the values in memory, or writes them chunk by chunk to a
directory that `xarray.open_zarr` opens and that a stopped sweep goes on from; see `run`.

To add a sweep, write

1. a function of a module, ``work(job, chunk)``. It is given the configuration as it was written, a dict of JSON,
   and a `Chunk`, which has the coordinates of its cells (``chunk.coords["a0"]``, or ``chunk.grid()["a0"]`` in every
   cell) and their numbers in the grid, to seed random streams (``chunk.numbers()``). It returns a dict with an array
   of shape ``chunk.shape`` for each variable; where a cell has an array, its shape comes behind (`Variable.within`).
   It must depend on its two arguments only, so that a repeated chunk has the same values; it may raise, and then the
   chunk is tried again and at last set aside. A value that one cell cannot have (a fate that is not decided) is a
   value of its own, not an exception;
2. a function that checks the user's settings, puts all that the cells depend on into the job, and returns ::

       Sweep("fate", "package.module:work", job, coords={"a0": a0, "c_star[3]": Axis(c, long_name="c*_3")},
             variables={"fate": Variable("int16", fill=-1), "loss": Variable("float64", fill=nan)}, chunks=(50, 50))

3. a test that some cells of the sweep are what the work gives for them one by one.
"""

from fastslow.sweeps.engine import ChunkError as ChunkError
from fastslow.sweeps.engine import SweepResult as SweepResult
from fastslow.sweeps.engine import run as run
from fastslow.sweeps.sweep import Axis as Axis
from fastslow.sweeps.sweep import Chunk as Chunk
from fastslow.sweeps.sweep import Sweep as Sweep
from fastslow.sweeps.sweep import Variable as Variable
