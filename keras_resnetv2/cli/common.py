"""What the command lines share: their common flags, and how errors read."""

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging

WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Directory of the training, the search or the studies: settings, results.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Where TensorFlow Datasets keeps its data (default: its own default).",
)


def define_split() -> flags.FlagHolder[str]:
    """The flag of a command that reads images of a training."""
    return flags.DEFINE_enum(
        "split",
        "test",
        ["train", "test", "held_out"],
        "Which images; held_out is of a training with --held_out.",
    )


def define_checkpoint_steps() -> flags.FlagHolder[int | None]:
    """The flag of a command that trains."""
    return flags.DEFINE_integer(
        "checkpoint_steps",
        None,
        "Write a checkpoint every so many steps, too, not only after an epoch.",
    )


def define_parallel() -> flags.FlagHolder[int]:
    """The flag of a command that runs several trainings."""
    return flags.DEFINE_integer(
        "parallel",
        1,
        "Trainings at once, as processes. Each of several has GPUs of its own, "
        "one or as many as its replicas, if there are enough; otherwise they "
        "share.",
        lower_bound=1,
    )


def entry_point(
    main: Callable[[list[str]], None], takes_arguments: bool = False
) -> Callable[[], None]:
    """Wraps an absl main so that bad input is one message, not a traceback.

    Args:
        main: takes the command and the arguments that are no flags.
        takes_arguments: whether there may be any of these.

    Returns:
        A function for a console command. With --verbosity=1 it shows the
        traceback, too.
    """

    def guarded(argv):
        if argv[1:] and not takes_arguments:
            raise app.UsageError(f"Unexpected arguments: {' '.join(argv[1:])}")
        try:
            main(argv)
        except (ArithmeticError, ImportError, OSError, ValueError) as error:
            logging.debug("Traceback:", exc_info=True)
            sys.exit(f"{os.path.basename(argv[0])}: error: {error}")
        except KeyboardInterrupt:
            sys.exit("Interrupted. The same command goes on from what is done.")

    def run():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        # --help shows the text and flags of the program's file, a shim.
        sys.modules["__main__"].__doc__ = sys.modules[main.__module__].__doc__
        for module in (main.__module__, __name__):
            for flag in flags.FLAGS.get_key_flags_for_module(module):
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
        app.run(guarded, flags_parser=_parse_flags)

    return run


def _parse_flags(argv):
    rest = app.parse_flags_with_usage(argv)
    if flags.FLAGS["verbosity"].using_default_value:
        # absl's default would let all of TensorFlow's chatter through.
        flags.FLAGS.verbosity = logging.WARNING
    return rest
