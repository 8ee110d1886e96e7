import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data.contact_sheet import (
    check_path,
    write_contact_sheet,
)


def test_pictures_stand_upright_side_by_side(tmp_path):
    files = []
    for i in range(8):
        pixels = np.zeros((20, 40, 3), np.uint8)
        pixels[:, :20] = 30 * i, 200, 0  # the left half
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise: that half is above then
        path = tmp_path / f"{i}.png"
        Image.fromarray(pixels).save(path, exif=exif)
        files.append(path)
    sheet = tmp_path / "sheet.png"
    write_contact_sheet(sheet, files, [["a", f"{'w' * 99} 1%"]] * 8)
    with Image.open(sheet) as image:
        found = np.asarray(image)
    # Six of 180 pixels and a gap of 12 a row; two lines of 18 below each.
    assert found.shape == (12 + 2 * (180 + 12 + 36), 12 + 6 * 192, 3)
    for i in range(8):
        top, left = 12 + i // 6 * 228, 12 + i % 6 * 192
        np.testing.assert_array_equal(
            found[top + 45, left + 90], [30 * i, 200, 0]
        )
        np.testing.assert_array_equal(found[top + 135, left + 90], 0)
        np.testing.assert_array_equal(found[top + 90, left + 10], 255)
        below = found[top + 180 : top + 216, left : left + 180]
        assert below.min() < 100
        gap = found[top : top + 228, left + 180 : left + 192]
        assert (gap == 255).all()  # a long text is cut
    assert (found[-36:, -300:] == 255).all()


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match=".png file; received .*sheet.txt"):
        write_contact_sheet(tmp_path / "sheet.txt", [], [])


@pytest.mark.parametrize("folder", ["no/such", "file.txt"])
def test_a_folder_that_is_none_is_refused(folder, tmp_path):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match="sheet.png cannot be written: "):
        check_path(tmp_path / folder / "sheet.png")


def test_any_name_is_drawn_and_boxes_are_told(tmp_path, caplog):
    file, sheet = tmp_path / "a\nb.png", tmp_path / "sheet.png"
    Image.new("RGB", (8, 8)).save(file)
    write_contact_sheet(sheet, [file], [[file.name, "plain 9.5%"]])
    assert sheet.exists() and not caplog.messages
    write_contact_sheet(sheet, [file], [["\u732b a", "\xe9"]])
    assert "font lacks \xe9 \u732b and shows boxes" in caplog.text
