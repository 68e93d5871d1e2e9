"""What Sphinx-Gallery shows of a script: its figure or animation, light and dark, of which a page shows one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

DIRECTIVE = """
.. image:: /{place}
   :alt: {alt}
   :class: only-{theme}
"""


class FiguresFirst:
    """The order of the gallery: the figures of the paper, then the others by name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> tuple[bool, str]:
        """Return what a script is sorted by."""
        return not name.startswith("plot_figure_"), name


def pictures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Return the reStructuredText that shows what a block of a script drew."""
    from matplotlib import pyplot

    from fastslow.plot.dark import dark

    shown = ""
    animation = block_vars["example_globals"].get("animation")
    source = Path(block_vars["src_file"]).read_text(encoding="utf-8")
    alt = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    for number in pyplot.get_fignums():
        figure, path = pyplot.figure(number), Path(next(block_vars["image_path_iterator"]))
        for theme in ("light", "dark"):
            if theme == "dark":
                figure, path = dark(figure), path.with_stem(f"{path.stem}_dark")
            if animation is None:
                figure.savefig(path)
            else:
                path = path.with_suffix(".gif")
                animation.save(path, writer="pillow", dpi=80)
            place = path.relative_to(gallery_conf["src_dir"]).as_posix()
            shown += DIRECTIVE.format(place=place, alt=alt, theme=theme)
    pyplot.close("all")
    return shown
