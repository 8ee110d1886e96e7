"""The report of a directory of studies, read back as a reader gets it."""

import base64
import dataclasses
import html.parser
import shutil

import pytest
from markdown_it import MarkdownIt
from report_studies import PLAN, STUDY, results, studydir

from keras_resnetv2.studies import sections
from keras_resnetv2.studies.report import write_report
from keras_resnetv2.studies.study import FAIL

OTHER = dataclasses.replace(
    PLAN,
    study=dataclasses.replace(
        STUDY,
        name="three",
        title="3 <runs>",
        tables={"Orders": STUDY.tables["All"]},
    ),
    epochs=6,
    seeds=3,
)
ERRORS = {"original": [0.1], "dropout": [None], "full": [0.0921]}
THREE = {
    "original": [0.09, 0.10, 0.11],
    "conv": [0.09, 0.095, 0.10],
    "dropout": [None, 0.3, 0.4],
    "full": [0.08, 0.09, 0.10],
}
HEAD = ("", "error", "train", "paper", "a <study>")  # of one run a row
SMALL = [
    ("original", "10.00", "15.00", "6.61", "8.56"),
    ("1x1 conv", "", "", "12.22", "8.43"),
    ("dropout *0.5*", "fail", "fail", "fail", ""),
]
FULL = "full <pre-activation> | ours"
ALL = [*SMALL, (FULL, "9.21", "15.00", "6.37", "8.08")]


READ_AS_WRITTEN = {
    *("text", "text_special", "softbreak", "image"),
    *("strong_open", "strong_close"),
}


class Page(html.parser.HTMLParser):
    """Tables of a page by caption, its other texts, its pictures."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.texts = [], [], [""]
        self.images, self.linked = {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.linked += [attrs[key] for key in ("src", "href") if key in attrs]
        if tag == "img":
            self.images[attrs["alt"]] = attrs["src"]
        if tag not in ("img", "meta"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append(["", []])
        elif tag == "tr":
            self.tables[-1][1].append(())
        elif tag in ("th", "td"):
            self.tables[-1][1][-1] += ("",)
            assert tag == "td" or attrs["scope"] in ("row", "col")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "caption" in self.open:
            self.tables[-1][0] += data
        elif {"th", "td"} & set(self.open):
            *cells, last = self.tables[-1][1][-1]
            self.tables[-1][1][-1] = (*cells, last + data)
        elif data.strip():
            self.texts.append(data.strip())


def read_markdown(path):
    """Tables under their captions, and all other texts and pictures."""
    tokens = MarkdownIt().enable("table").parse(path.read_text("utf-8"))
    tables, texts, images, caption = [], [], {}, ""
    for before, token in zip(tokens, tokens[1:]):
        if token.type == "table_open":
            tables.append([caption, []])
        elif token.type == "tr_open":
            tables[-1][1].append(())
        elif token.type == "code_block":
            texts.append(token.content.strip())
        elif token.type == "inline":
            text = "".join(child.content for child in token.children)
            for child in token.children:
                assert child.type in READ_AS_WRITTEN
                if child.type == "image":
                    images[child.content] = child.attrs["src"]
            if before.type in ("th_open", "td_open"):
                tables[-1][1][-1] += (text,)
            else:
                texts.append(text)
                caption = text
    return tables, texts, images


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = studydir(
        tmp_path_factory.mktemp("studies"),
        (PLAN, results(PLAN, ERRORS)),
        (OTHER, results(OTHER, THREE, epochs=6)),
    )
    write_report(directory.path)
    return directory


@pytest.fixture(scope="module")
def page(directory):
    page = Page(directory.html.read_text("utf-8"))
    assert not page.open
    return page


def test_the_tables_of_page_and_markdown(directory, page):
    tables, _, _ = read_markdown(directory.markdown)
    assert page.tables == tables
    schedule = "4 epochs, 1,564 steps of 128, float32, 0 to 1 run per row"
    assert tables[0] == [f"Test error (%), {schedule}", [HEAD, *SMALL]]
    assert tables[1][1] == [HEAD, *ALL]
    caption, (head, *runs) = tables[2]
    assert caption == "Every run" and len(runs) == 3
    cells = dict(zip(head, runs[1]))
    assert cells["row"] == "dropout" and cells["device"] == "NVIDIA H200"
    assert cells["test error"] == cells["train error"] == "fail"
    assert (cells["epochs"], cells["time"]) == ("2", "2:00")
    several = ("runs", "median", "mean", "spread", "train")
    assert tables[3][1][0] == ("", *several, *HEAD[3:])
    assert tables[3][1][1][1:5] == ("3", "10.00", "10.00", "1.00")


@pytest.mark.parametrize("kind", ["html", "markdown"])
def test_what_is_said_beside_the_tables(directory, page, kind):
    texts = page.texts
    if kind == "markdown":
        texts = read_markdown(directory.markdown)[1]
    said = "\n".join(texts)
    for text in (
        "ResNet-20, shortcuts & orders",
        "A shortened schedule: 4 of the 164 epochs",
        "A note of <one> sentence.",
        "Diverged: dropout, seed 0: loss is nan at step 800",
        "NVIDIA H200 (3 runs)",
        "10:00 in total, 4:00 per run (median), 834 images/s per run",
        "keras 3.15.1, backend jax, jax 0.5.0",
        "3 of 4 done, 1 diverged",
        "Ranking agreement with paper: none. A row has only 1 run; at least 3",
        "Ranking agreement with a <study>: none. Rows with a published figure",
        "Ranking agreement with paper: Kendall's tau-b 0.67, 95 % interval",
        "2025-11-20 to 2025-11-22",
    ):
        assert text in said


def test_the_page_holds_the_pictures(directory, page):
    _, _, images = read_markdown(directory.markdown)
    assert len(page.images) == len(images) == 6
    assert all(link.startswith("data:") for link in page.linked)
    text = directory.html.read_text("utf-8")
    assert (
        "<script" not in text and "url(" not in text and "@import" not in text
    )
    for alt, file in images.items():
        kind, data = page.images[alt].split(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(data) == (directory.path / file).read_bytes()


def test_written_again_it_is_the_same(directory, tmp_path):
    names = [path.name for path in directory.path.glob("[!.]*")]
    for name in names:
        if name.endswith((".json", ".jsonl")):
            shutil.copy(directory.path / name, tmp_path)
    write_report(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    for name in names:
        same = (directory.path / name).read_bytes()
        assert (tmp_path / name).read_bytes() == same, name


def test_a_study_without_a_run(tmp_path):
    directory = studydir(tmp_path, (PLAN, {}))
    write_report(tmp_path)
    page = Page(directory.html.read_text("utf-8"))
    blank = [(row[0], "", "", *row[3:]) for row in ALL]
    assert [rows for _, rows in page.tables] == [
        [HEAD, *blank[:3]],
        [HEAD, *blank],
    ]
    assert "Ranking agreement with" not in "".join(page.texts)
    assert not page.images and "0 of 4 done, 0 diverged" in page.texts
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_directory_that_is_none(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no study in it. Give the --workdir"):
        write_report(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.parametrize("epochs, expected", [(None, 20.0), (4, float("inf"))])
def test_the_papers_20_percent_is_for_full_trainings(epochs, expected):
    plan = dataclasses.replace(PLAN, epochs=epochs)
    assert sections._limit(plan, [(6.6, []), (FAIL, [])]) == expected
    assert sections._limit(plan, [(6.6, []), (None, [])]) == float("inf")
