"""Math without scripts, and what the commands say of themselves."""

import pathlib
import subprocess
import sys

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.util.docutils import SphinxDirective


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


def _mathml(translator, node):
    as_block = isinstance(node, nodes.math_block)
    translator.body.append(
        latex2mathml.tex2mathml(node.astext(), as_block=as_block)
    )
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_directive("command-help", CommandHelp)
    app.add_html_math_renderer("mathml", (_mathml, None), (_mathml, None))
    return {"parallel_read_safe": True}
