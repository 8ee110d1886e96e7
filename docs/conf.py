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
default_role = "py:name"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = True
nitpick_ignore_regex = [
    ("py:name", ".*"),
    # Types of others, and ours that have no public name.
    ("py:(class|exc)", r"(?!keras_resnetv2\b).*"),
    ("py:class", r"keras_resnetv2\.(_\w+|\w+\.\w+)\.\w+"),
]

toc_object_entries_show_parents = "hide"

html_theme = "sphinx_book_theme"
html_theme_options = {"navbar_persistent": [], "footer_content_items": []}
html_title = "keras_resnetv2"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_use_index = False
html_math_renderer = "mathml"
