import runpy

import pytest
from absl import flags


@pytest.fixture(scope="module")
def load_tool():
    """The names of a tool that has the flag --write, as others have."""

    def load(path):
        names = runpy.run_path(str(path))
        flags.FLAGS.remove_flag_values(["write"])
        return names

    return load
