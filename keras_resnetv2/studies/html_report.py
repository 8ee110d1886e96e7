"""The report as one HTML page that needs nothing else: no file, no network."""

import base64
from collections.abc import Sequence
from html import escape

from keras_resnetv2.studies.sections import HOW_TO_READ, Section
from keras_resnetv2.studies.tables import Table

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --shade: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem;
  max-width: 64rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.2; }
h2 { border-top: 1px solid var(--line); padding-top: 1.5rem; }
.caution { border-left: .3rem solid #d55e00; background: #d55e0022;
  padding: .6rem .9rem; font-weight: 600; }
.table { overflow-x: auto; margin: 1rem 0; }
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
    """Writes the page.

    Args:
        title: of all.
        sections: the studies.
    """
    explained = "\n".join(
        f'<p class="small">{escape(text)}</p>' for text in HOW_TO_READ
    )
    body = "\n".join(line for part in sections for line in _section(part))
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


def _section(section):
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    for caution in section.cautions:
        yield f'<p class="caution">{escape(caution)}</p>'
    for comparison in section.comparisons:
        yield f"<h3>{escape(comparison.title)}</h3>"
        yield _table(comparison.table)
        for sentence in comparison.agreement:
            yield f"<p>{escape(sentence)}</p>"
        if comparison.figures:
            images = "\n".join(map(_image, comparison.figures))
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
        yield _table(section.runs)
        yield "</details>"
    yield "</section>"


def _table(table: Table):
    caption = escape(table.caption)
    head = "".join(
        f'<th scope="col">{escape(cell)}</th>' for cell in table.head
    )
    rows = "\n".join(map(_row, table.rows))
    # What scrolls must be reachable by keyboard.
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


def _row(cells):
    head, *rest = map(escape, cells)
    cells = "".join(f"<td>{cell}</td>" for cell in rest)
    return f'<tr><th scope="row">{head}</th>{cells}</tr>'


def _image(figure):
    source = base64.b64encode(figure.svg.encode()).decode()
    return (
        f'<img alt="{escape(figure.alt)}" '
        f'src="data:image/svg+xml;base64,{source}">'
    )
