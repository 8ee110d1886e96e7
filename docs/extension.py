"""What Sphinx has not: MathML, a command's --help, short docstrings."""

import pathlib
import subprocess
import sys

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.domains.python import PyXRefRole
from sphinx.util.docutils import SphinxDirective

from keras_resnetv2 import MODELS

_WHOLE = "PreActResNet20"


class CommandHelp(SphinxDirective):
    """What a command prints with --help."""

    required_arguments = 1

    def run(self):
        """Runs the command of this environment."""
        command = pathlib.Path(sys.executable).with_name(self.arguments[0])
        done = subprocess.run(
            [command, "--help"], capture_output=True, text=True, check=True
        )
        block = nodes.literal_block(done.stdout, done.stdout, language="text")
        return [block]


class Name(PyXRefRole):
    """A link to a name, or code as it stands: `.h5` keeps its dot."""

    def process_link(self, env, node, has_explicit_title, title, target):
        """Finds names as they are written where they are written."""
        super().process_link(env, node, has_explicit_title, title, target)
        return title, target


def _mathml(translator, node):
    as_block = isinstance(node, nodes.math_block)
    translator.body.append(
        latex2mathml.tex2mathml(node.astext(), as_block=as_block)
    )
    raise nodes.SkipNode


def _shorten(app, what, name, obj, options, lines):
    """Leaves one of the named builders' many equal docstrings whole."""
    _, _, builder = name.rpartition(".")
    if builder in MODELS and builder != _WHOLE:
        lines[1:] = ["", f"Arguments, options and result: as of `{_WHOLE}`."]


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _shorten)
    app.add_role_to_domain("py", "name", Name())
    app.add_directive("command-help", CommandHelp)
    app.add_html_math_renderer("mathml", (_mathml, None), (_mathml, None))
    return {"parallel_read_safe": True}
