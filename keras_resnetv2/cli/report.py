"""Writes the report of ablation studies as HTML and Markdown.

keras-resnetv2-report --workdir=runs/quick
"""

from keras_resnetv2.cli import common


def main(argv):
    """Writes report.html, report.md and its figures into the directory."""
    from keras_resnetv2 import studies

    written = studies.write_report(common.WORKDIR.value)
    print(f"Report: {written.html}; in Markdown: {written.markdown}.")


entry_point = common.entry_point(
    main,
    workdir="Directory of the studies; the report is also written there.",
    required=["workdir"],
    unused=["data_dir"],
)
