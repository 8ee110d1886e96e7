"""`write_report`: reports a directory of studies as HTML and Markdown."""

import base64
import os
from collections.abc import Sequence
from html import escape

from keras_resnetv2._files import write_atomically
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import escape_markdown, markdown_table, one_line
from keras_resnetv2.studies.sections import HOW_TO_READ, Section, section_of
from keras_resnetv2.studies.studydir import Studydir
from keras_resnetv2.studies.tables import Table

TITLE = "Ablation studies"


def write_report(workdir: str | os.PathLike) -> Studydir:
    """Writes report.html, report.md and the figures of report.md.

    It reads `study-*.json` and `results.jsonl`. Missing results are blank. The
    same results always give the same files.

    Args:
        workdir: the directory of studies.

    Returns:
        The directory.

    Raises:
        ValueError: if it contains no study, or unreadable results.
        ImportError: if a package is missing; says what to install.
    """
    check_installed("A report")
    directory = Studydir(workdir)
    results = directory.results()
    sections = [section_of(plan, results) for plan in directory.plans()]
    for section in sections:
        for comparison in section.comparisons:
            for figure in comparison.figures:
                write_atomically(directory.path / figure.file, figure.svg)
    write_atomically(directory.markdown, markdown_report(TITLE, sections))
    write_atomically(directory.html, html_report(TITLE, sections))
    return directory


def markdown_report(title: str, sections: Sequence[Section]) -> str:
    """Returns the report as Markdown.

    Args:
        title: title of the report.
        sections: the studies.
    """
    blocks = map(escape_markdown, HOW_TO_READ)
    blocks = [f"# {escape_markdown(title)}", *blocks]
    for section in sections:
        blocks += _markdown_section(section)
    return "\n\n".join(blocks) + "\n"


def captioned_table(table: Table) -> str:
    """Returns a table below its caption, with numbers aligned right."""
    head, *rows = (
        tuple(map(escape_markdown, row)) for row in (table.head, *table.rows)
    )
    right = [False, *(True for _ in head[1:])]
    text = markdown_table(head, rows, right)
    return f"**{escape_markdown(table.caption)}**\n\n{text}"


def _markdown_section(section):
    yield f"## {escape_markdown(section.title)}"
    for caution in section.cautions:
        yield f"> **{escape_markdown(caution)}**"
    for comparison in section.comparisons:
        yield f"### {escape_markdown(comparison.title)}"
        yield captioned_table(comparison.table)
        yield from map(escape_markdown, comparison.agreement)
        if comparison.figures:
            yield "\n".join(map(_markdown_figure, comparison.figures))
    if section.notes:
        yield "### Notes"
        yield "\n".join(f"- {escape_markdown(note)}" for note in section.notes)
    yield "### How it was run"
    yield "\n".join(
        f"- {name}: {escape_markdown(fact)}"
        for name, fact in section.facts.items()
    )
    if section.command:
        yield f"    {one_line(section.command)}"
    if section.runs.rows:
        yield captioned_table(section.runs)


def _markdown_figure(figure):
    return f"![{escape_markdown(figure.alt)}]({figure.file})"


_STYLE = """
:root { color-scheme: light dark; --line: #8886; --shade: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem;
  max-width: 64rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.2; }
h2 { border-top: 1px solid var(--line); padding-top: 1.5rem; }
.caution { border-left: .3rem solid #d55e00; background: #d55e0022;
  padding: .6rem .9rem; font-weight: 600; }
/* A shadow on the side towards which a table scrolls. */
.table { overflow-x: auto; margin: 1rem 0; background:
  linear-gradient(to left, Canvas 40%, transparent) right / 3rem 100% local,
  linear-gradient(to left, #8889, transparent) right / 1rem 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
caption span { position: sticky; left: 0; display: inline-block;
  max-width: calc(100vw - 2rem); }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  text-align: right; white-space: nowrap; }
thead th { vertical-align: bottom; background: var(--shade); }
th:first-child { position: sticky; left: 0; min-width: 8rem; max-width: 20rem;
  text-align: left; white-space: normal; font-weight: 500; background: Canvas; }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
img { width: 100%; background: white; border-radius: .3rem; }
.small { font-size: .85rem; opacity: .85; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
pre { overflow-x: auto; padding: .6rem; background: var(--shade); }
@media (max-width: 30rem) {
  th:first-child { min-width: 6.5rem; max-width: 8rem; }
  th, td { padding: .3rem .4rem; font-size: .9rem; }
}
"""


def html_report(title: str, sections: Sequence[Section]) -> str:
    """Returns the report as an HTML page.

    Args:
        title: title of the report.
        sections: the studies.
    """
    explained = "\n".join(
        f'<p class="small">{escape(text)}</p>' for text in HOW_TO_READ
    )
    body = "\n".join(line for part in sections for line in _html_section(part))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{explained}
{body}
</body>
</html>
"""


def _html_section(section):
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    for caution in section.cautions:
        yield f'<p class="caution">{escape(caution)}</p>'
    for comparison in section.comparisons:
        yield f"<h3>{escape(comparison.title)}</h3>"
        yield _html_table(comparison.table)
        for sentence in comparison.agreement:
            yield f"<p>{escape(sentence)}</p>"
        if comparison.figures:
            images = "\n".join(map(_html_image, comparison.figures))
            yield f'<div class="figures">\n{images}\n</div>'
    if section.notes:
        items = "\n".join(f"<li>{escape(note)}</li>" for note in section.notes)
        yield f"<h3>Notes</h3>\n<ul>\n{items}\n</ul>"
    yield "<h3>How it was run</h3>\n<dl>"
    for name, fact in section.facts.items():
        yield f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>"
    yield "</dl>"
    if section.command:
        yield f"<pre><code>{escape(section.command)}</code></pre>"
    if section.runs.rows:
        caption = escape(section.runs.caption)
        yield f"<details>\n<summary>{caption}</summary>"
        yield _html_table(section.runs)
        yield "</details>"
    yield "</section>"


def _html_table(table: Table):
    caption = escape(table.caption)
    head = "".join(
        f'<th scope="col">{escape(cell)}</th>' for cell in table.head
    )
    rows = "\n".join(map(_html_row, table.rows))
    # Scrollable elements must be reachable by keyboard.
    return f"""\
<div class="table" role="region" aria-label="{caption}" tabindex="0">
<table>
<caption><span>{caption}</span></caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""


def _html_row(cells):
    head, *rest = map(escape, cells)
    cells = "".join(f"<td>{cell}</td>" for cell in rest)
    return f'<tr><th scope="row">{head}</th>{cells}</tr>'


def _html_image(figure):
    source = base64.b64encode(figure.svg.encode()).decode()
    return (
        f'<img alt="{escape(figure.alt)}" '
        f'src="data:image/svg+xml;base64,{source}">'
    )
