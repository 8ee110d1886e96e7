import csv

import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from PIL import Image
from trial_rows import completed, failed

from keras_resnetv2.tuning import trial_plot
from keras_resnetv2.tuning.trial_report import write_report
from keras_resnetv2.tuning.trials import TrialRow

GATED = {"shortcut": "exclusive_gating", "gate_bias": -6.0}
UNIT = {"unit": "a|b"}
ROWS = [
    completed("0", 0.2, 269_722, 41_000_000, values={"rate": 0.1 + 0.2} | UNIT),
    failed("1", 'OOM:\n  "x", <b>|*y*\r\n__z__', 853_018, None, UNIT),
    completed(
        "2", 0.1, 464_154, 70_000_000, values={"rate": 0.1} | UNIT | GATED
    ),
    TrialRow("3", "running", None, 2, 3, 1, None, {"rate": 1.0} | UNIT),
    completed("4", 0.15, None, 50_000_000, values={"rate": 1} | UNIT),
]


def write(path, rows, **settings):
    settings = {"title": "a search", "held_out_images": 5000} | settings
    write_report(path, rows, **settings)


def test_csv_reads_back(tmp_path):
    write(tmp_path / "new" / "directory", ROWS)
    with open(tmp_path / "new/directory/trials.csv", newline="") as file:
        text = file.read()
    read = list(csv.DictReader(text.splitlines()))
    assert len(read) == len(ROWS) == len(text.splitlines()) - 1
    for cells, row in zip(read, ROWS):
        assert cells["trial"] == row.trial
        assert cells["status"] == row.status
        for name in ("error", "parameters", "multiply_adds", "epochs"):
            value = getattr(row, name)
            assert (float(cells[name]) if cells[name] else None) == value
        values = {k: cells[k] for k in ("rate", "unit", *GATED) if cells[k]}
        assert values == {k: str(v) for k, v in row.values.items()}
    assert read[1]["reason"] == 'OOM: "x", <b>|*y* __z__'
    assert [row["reason"] for row in read if row["reason"]] == [
        read[1]["reason"]
    ]


def parse(path):
    """Paragraphs, and rows of cells: (text, whether it is bold)."""
    tokens = (
        MarkdownIt()
        .enable("table")
        .parse((path / "trials.md").read_text(encoding="utf-8"))
    )
    paragraphs, table = [], []
    for before, token in zip(tokens, tokens[1:]):
        if token.type == "tr_open":
            table.append([])
        if token.type == "inline":
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "strong_open"} | {
                "strong_close"
            }
            text = "".join(child.content for child in token.children)
            if before.type in ("th_open", "td_open"):
                table[-1].append((text, "strong_open" in kinds))
            else:
                paragraphs.append(text)
    return paragraphs, table


def test_markdown_reads_back(tmp_path):
    write(tmp_path, ROWS, title="<b>*5|5*</b> __x__ `")
    paragraphs, (head, *table) = parse(tmp_path)
    assert paragraphs[0] == "<b>*5|5*</b> __x__ `"
    assert paragraphs[1] == "5 trials: 3 completed, 1 failed, 1 running."
    assert "5,000 held-out images" in paragraphs[2]
    assert paragraphs[3] == "The same in every trial: unit=a|b."
    names = [text for text, _ in head]
    assert names == [
        *("trial", "status", "error", "parameters", "multiply-adds"),
        *("epochs", "time", "rate", "shortcut", "gate_bias", "reason"),
    ]
    rows = [dict(zip(names, (text for text, _ in row))) for row in table]
    assert [row["trial"] for row in rows] == ["2", "4", "0", "3", "1"]
    bold = [[text for text, is_bold in row if is_bold] for row in table]
    assert bold[1:] == [[]] * 4
    assert bold[0] == [text for text, _ in table[0] if text]
    # sqrt(0.1 * 0.9 / 5000) = 0.00424
    assert rows[0]["error"] == "10.00% ± 0.42%"
    assert rows[0]["parameters"] == "0.46M"
    assert rows[0]["multiply-adds"] == "70M"
    assert rows[0]["time"] == "1:23"
    assert rows[0]["gate_bias"] == "-6" and rows[1]["gate_bias"] == ""
    assert rows[3]["error"] == ""
    assert rows[4]["reason"] == 'OOM: "x", <b>|*y* __z__'


def test_what_32_bit_floats_do_is_no_variation(tmp_path):
    rows = [
        completed("0", 0.2, values={"rate": 0.1}),
        completed("1", 0.2, values={"rate": 0.10000000149011612}),
        failed("2", "NaN " * 500, values={"rate": 0.1}),
    ]
    write(tmp_path, rows)
    paragraphs, (head, *table) = parse(tmp_path)
    assert paragraphs[3] == "The same in every trial: rate=0.1."
    assert "rate" not in dict(head)
    assert len(table[-1][-1][0]) == 200


def test_what_is_not_known_of_any_trial_is_no_column(tmp_path):
    write(tmp_path, [completed("0", 0.2, seconds=None)])
    _, (head, _) = parse(tmp_path)
    assert not {"time", "reason"} & set(dict(head))


@pytest.mark.parametrize(
    "rows, count",
    [
        ([], "0 trials: 0 completed, 0 failed, 0 running."),
        ([failed("0", "NaN")], "1 trial: 0 completed, 1 failed, 0 running."),
        (
            [failed("0", "NaN", 9, 9)] * 2,
            "2 trials: 0 completed, 2 failed, 0 running.",
        ),
        ([ROWS[0]], "1 trial: 1 completed, 0 failed, 0 running."),
        ([ROWS[3]], "1 trial: 0 completed, 0 failed, 1 running."),
        (
            [completed(r"$\frac$", 0.0, 1, 10**13), completed("1", 1.0, 0, 1)],
            "2 trials: 2 completed, 0 failed, 0 running.",
        ),
    ],
)
def test_few_or_odd_trials(rows, count, tmp_path):
    write(tmp_path, rows)
    paragraphs, table = parse(tmp_path)
    assert paragraphs[1] == count
    assert len(table) == (len(rows) + 1 if rows else 0)
    with Image.open(tmp_path / "trials.png") as image:
        image.load()
        assert image.width >= 1000


@pytest.fixture
def drawn(monkeypatch):
    """The figures which were saved."""
    figures = []
    save = Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def points(axes):
    return [tuple(map(float, xy)) for xy in axes.collections[0].get_offsets()]


def lines(axes):
    return {
        line.get_label(): [tuple(map(float, xy)) for xy in line.get_xydata()]
        for line in axes.lines
    }


def test_plot(tmp_path, drawn):
    write(tmp_path, ROWS)
    parameters, multiply_adds = drawn[0].axes
    for axes in (parameters, multiply_adds):
        assert axes.get_xscale() == "log"
    assert points(parameters) == [(269_722, 20), (464_154, 10)]
    assert points(multiply_adds) == [(41e6, 20), (70e6, 10), (50e6, 15)]
    marks = lines(multiply_adds)
    assert set(marks) == {"Pareto front", "best"}
    assert marks["Pareto front"][:-1] == [(41e6, 20), (50e6, 15), (70e6, 10)]
    assert multiply_adds.lines[0].get_drawstyle() == "steps-post"
    assert marks["best"] == [(70e6, 10)]
    assert lines(parameters)["failed"] == [(853_018, 1)]
    low, high = parameters.get_xlim()
    assert low < 269_722 and high > 853_018
    for axes in (parameters, multiply_adds):
        assert axes.texts[0].get_text() == "trial 2: 10.00%"


@pytest.mark.parametrize(
    "errors, sizes",
    [
        ((0.0, 0.9), (10**5, 10**6)),
        ((0.1, 0.9), (10**6, 10**5)),
        ((0.1, 0.12), (1, 1)),
    ],
)
def test_the_bests_label_is_within_the_axes(errors, sizes, tmp_path, drawn):
    rows = [
        completed("0123456789" * 9, error, size, 10**4 * size)
        for error, size in zip(errors, sizes)
    ]
    write(tmp_path, rows)
    for axes in drawn[0].axes:
        extent = axes.texts[0].get_window_extent()
        assert axes.bbox.contains(*extent.min)
        assert axes.bbox.contains(*extent.max)
        assert min(axes.get_yticks()) >= 0
        assert len(shown_ticks(axes)) >= 2


def test_the_best_of_unknown_size(tmp_path, drawn):
    write(tmp_path, [completed("0", 0.1, None, 9), completed("1", 0.2, 9, 9)])
    parameters, multiply_adds = drawn[0].axes
    assert "best" not in lines(parameters) and not parameters.texts
    assert "best" in lines(multiply_adds)


def shown_ticks(axes):
    return [
        text.get_window_extent()
        for text in axes.get_xticklabels()
        if axes.viewLim.x0 <= text.get_position()[0] <= axes.viewLim.x1
    ]


def test_points_are_coloured_where_epochs_differ(tmp_path, drawn):
    epochs = [2, 5, 14, 5]
    rows = [
        completed(str(i), 0.1 + i / 10, 10**5, 10**7, epochs=n)
        for i, n in enumerate(epochs)
    ]
    write(tmp_path, rows)
    axes, _, bar = drawn[0].axes
    colours = [tuple(c) for c in axes.collections[0].get_facecolors()]
    assert colours[1] == colours[3] and len(set(colours)) == 3
    ticks = {text.get_text() for text in bar.get_yticklabels()}
    assert ticks == {"2", "5", "14"}


def test_many_epochs_and_networks_that_learned_nothing(tmp_path, drawn):
    rows = [
        completed(str(i), 0.05 + i % 2 * 0.85, 10 ** (4 + i % 4), 1, epochs=i)
        for i in range(60)
    ]
    write(tmp_path, rows)
    axes, _, bar = drawn[0].axes
    assert axes.get_yscale() == "log"
    assert 4 <= len(bar.get_yticklabels()) <= 8
    shown = shown_ticks(axes)
    assert len(shown) >= 2
    assert not any(a.overlaps(b) for a, b in zip(shown, shown[1:]))


def test_an_earlier_report_stays_whole(tmp_path, monkeypatch):
    write(tmp_path, ROWS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"trials.csv", "trials.md", "trials.png"}

    def full_disk(self, path, **_):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="No space"):
        trial_plot.plot_trials(tmp_path / "trials.png", ROWS[:1], "other")
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before


def test_no_held_out_images(tmp_path):
    with pytest.raises(ValueError, match="at least 1; received 0"):
        write(tmp_path, ROWS, held_out_images=0)
