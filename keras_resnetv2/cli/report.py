"""Writes the report of ablation studies: an HTML page, and Markdown.

report --workdir=results
"""

from absl import flags

from keras_resnetv2.cli import common

flags.mark_flag_as_required("workdir")


def main(argv):
    """Writes report.html, report.md and its figures into the directory."""
    from keras_resnetv2 import studies

    written = studies.write_report(common.WORKDIR.value)
    print(f"Look at {written.html}; in Markdown: {written.markdown}.")


entry_point = common.entry_point(main)
