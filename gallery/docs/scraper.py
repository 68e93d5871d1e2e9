"""What Sphinx-Gallery shows of a script: its figure, or the animation of that name as a moving picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pictures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Return the reStructuredText that shows what a block of a script drew."""
    from matplotlib import pyplot
    from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

    animation = block_vars["example_globals"].get("animation")
    if animation is None:
        return str(matplotlib_scraper(block, block_vars, gallery_conf))
    path = Path(next(block_vars["image_path_iterator"])).with_suffix(".gif")
    animation.save(path, writer="pillow", dpi=80)
    pyplot.close("all")
    return str(figure_rst([str(path)], gallery_conf["src_dir"], "the animation"))
