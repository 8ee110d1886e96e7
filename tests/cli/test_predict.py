import csv
import io
import json
import re

import pytest
from PIL import Image
from processes import run_command, run_forked

from keras_resnetv2 import load_arrays

PUBLISHED = ("--model=PreActResNet20", "--weights=cifar10")


@pytest.fixture
def pictures(tmp_path):
    images = load_arrays("cifar10_sample", "test").take(3).images
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, image in zip(("a.png", "b.PNG", "more/c.bmp"), images):
        Image.fromarray(image).save(folder / name)
    (folder / "notes.txt").write_text("none")
    return folder


def test_files_and_folders_as_a_table_and_a_sheet(pictures, tmp_path):
    sheet = tmp_path / "sheet.png"
    done = run_command(
        *("predict", *PUBLISHED, f"--contact_sheet={sheet}"),
        *(pictures, pictures / "a.png"),
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert [row.split()[0] for row in rows] == [
        str(pictures / name) for name in ("a.png", "b.PNG", "more/c.bmp")
    ]
    assert rows[0].split("  ", 1)[1].strip().startswith("cat 100.0%, dog ")
    assert "1 file is left out (not a picture): notes.txt" in done.stderr
    with Image.open(sheet) as image:
        assert image.width == 12 + 3 * 192


def test_csv_and_json_agree(pictures):
    (pictures / "b.PNG").write_text("no picture")
    as_csv = run_command("predict", *PUBLISHED, "--csv", "--top=2", pictures)
    as_json = run_command("predict", *PUBLISHED, "--json", "--top=2", pictures)
    for done in (as_csv, as_json):
        assert done.returncode == 1
        told = f"predict.py: warning: {pictures}/b.PNG cannot be read"
        assert f"\n{told}" in done.stderr
        assert done.stderr.rstrip().endswith("1 of 3 files could not be read.")
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [row["rank"] for row in rows] == ["1", "2"] * 2
    flat = [
        (answer["file"], one["class"], one["score"])
        for answer in json.loads(as_json.stdout)
        for one in answer["classes"]
    ]
    assert flat == [
        (row["file"], row["class"], float(row["score"])) for row in rows
    ]


EXPORT = """
import sys
sys.argv = ["predict", "--export=x", *sys.argv[1:]]
from keras_resnetv2.cli import predict
from keras_resnetv2.export import exported
exported.classify = lambda directory, files: [None, [("cat", 0.5)]]
predict.entry_point()
"""


def test_what_an_export_does_not_read_is_told_with_a_reason(pictures):
    done = run_forked(EXPORT, pictures / "a.png", pictures / "b.PNG")
    assert done.returncode == 1 and done.stdout.endswith("b.PNG  cat 50.0%\n")
    told, last = done.stderr.splitlines()
    assert told.startswith(f"predict: warning: {pictures}/a.png is left out. ")
    assert "reads JPEG, PNG, GIF, BMP, and WebP without animation" in told
    assert last == "1 of 2 files could not be read."


def test_a_size_of_nothing_is_no_size(pictures):
    done = run_command("predict", *PUBLISHED, "--image_size=0", pictures)
    assert done.returncode == 1 and "--image_size=0" in done.stderr


@pytest.mark.parametrize(
    "args, says",
    [
        (PUBLISHED, "Give files or folders"),
        (("x.png",), "no such file or folder"),
        (("{pictures}",), "received none of them"),
        (
            (*PUBLISHED, "--export=x", "{pictures}"),
            "received --model=.*--export=x",
        ),
        ((*PUBLISHED, "--csv", "--json", "{pictures}"), "not both"),
        ((*PUBLISHED, "--contact_sheet=x.jpg", "{pictures}"), "a .png file"),
        (("--export=x", "{pictures}"), "x is not an export"),
        (("--export=x", "--image_size=9", "{pictures}"), "image_size has no"),
        (
            ("--export=x", "--pixel_limit=9", "{pictures}"),
            "limit has no effect",
        ),
        (("--workdir=x", "{pictures}"), "x"),
        (("{pictures}", "{pictures}/.."), "mean --workdir=.*pictures/..\\?"),
    ],
)
def test_bad_input_is_named(args, says, pictures):
    (pictures.parent / "experiment.json").write_text("{}")
    args = [arg.replace("{pictures}", str(pictures)) for arg in args]
    done = run_command("predict", *args)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()[-1:]
    assert line.startswith("predict.py: error: ")
    assert re.search(says, line), line
