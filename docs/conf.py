"""How Sphinx makes the documentation."""

import pathlib
import shutil
import sys

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent)]

from keras_resnetv2 import __version__  # noqa: E402

project = "keras_resnetv2"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "extension",
]
exclude_patterns = ["_build"]

# Sphinx reads no notebooks outside its own folder.
for notebook in (here.parent / "examples").glob("*.ipynb"):
    shutil.copy2(notebook, here / "tutorials")
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# In a docstring, `name` is a link where it is the name of something.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
# What others' types and a docstring's `code` are called is not checked.
nitpick_ignore_regex = [("py:(class|obj|exc)", r"(?!keras_resnetv2\b).*")]

html_theme = "sphinx_book_theme"
html_theme_options = {"navbar_persistent": [], "footer_content_items": []}
html_title = "keras_resnetv2"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
