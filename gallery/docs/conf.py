"""The documentation: pages beside this file, the gallery above it, references from docstrings and from click."""

import sys
from pathlib import Path
from typing import Any

import fastslow

sys.path.insert(0, str(Path(__file__).parent))
import formulas
import plain_text

project = "fastslow"
author = "the authors of fastslow"
version = release = fastslow.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["templates"]
nitpicky = True
default_role = "code"
smartquotes = False  # a prime is a derivative

# Pages are Markdown, with $...$ for formulas.
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Types are told in the docstrings, in words, so the signatures stay readable.
autodoc_typehints = "none"
autosummary_generate = True
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# The pictures are drawn as the pages are built; `-D plot_gallery=0` leaves them out.
sphinx_gallery_conf = {
    "examples_dirs": "..",
    "gallery_dirs": "pictures",
    "backreferences_dir": "pictures/used",
    "filename_pattern": "/plot_",
    "ignore_pattern": "__init__",
    "image_scrapers": ("scraper.pictures",),
    "within_subsection_order": "scraper.FiguresFirst",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["dark.css"]
html_title = "fastslow"
html_show_copyright = False
html_math_renderer = "mathml"


def setup(app: Any) -> None:
    """Register what this project adds to Sphinx."""
    formulas.connect(app)
    plain_text.connect(app)
