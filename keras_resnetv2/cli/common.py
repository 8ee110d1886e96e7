"""What the command lines share: their common flags, and how errors read."""

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging

WORKDIR = flags.DEFINE_string(
    "workdir", None, "Directory of the training: settings, checkpoints, logs."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Where TensorFlow Datasets keeps its data (default: its own default).",
)


def entry_point(main: Callable[[list[str]], None]) -> Callable[[], None]:
    """Wraps an absl main so that bad input is one message, not a traceback.

    Args:
        main: takes the arguments that are no flags.

    Returns:
        A function for a console command. With --verbosity=1 it shows the
        traceback, too.
    """

    def guarded(argv):
        if argv[1:]:
            raise app.UsageError(f"Unexpected arguments: {' '.join(argv[1:])}")
        try:
            main(argv)
        except (ValueError, ImportError, FileNotFoundError) as error:
            logging.debug("Traceback:", exc_info=True)
            sys.exit(f"{os.path.basename(argv[0])}: error: {error}")

    def run():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        app.run(guarded)

    return run
