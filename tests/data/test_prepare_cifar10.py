import pytest
from processes import run_command


def test_a_bad_archive_is_one_message_and_exit_code_1(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    archive = tmp_path / "x.tgz"
    archive.write_bytes(b"<html>")
    data_dir = tmp_path / "tfds"
    done = run_command(
        "prepare_cifar10", f"--archive={archive}", f"--data_dir={data_dir}"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"error: {archive} is not a readable" in done.stderr
    assert not data_dir.exists()
