"""Shared by all commands: flags, --help, errors and exit statuses."""

import faulthandler
import logging as python_logging
import os
import pathlib
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Mapping

from absl import flags, logging

from keras_resnetv2._tensorflow_start import quiet_tensorflow
from keras_resnetv2._version import __version__

WORKDIR = flags.DEFINE_string("workdir", None, "Set by `entry_point`.")
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Where TensorFlow Datasets keeps its data. Default: its own.",
)


def define_split() -> flags.FlagHolder[str]:
    """Defines the flag of a command that reads images of a training."""
    return flags.DEFINE_enum(
        "split",
        "test",
        ["train", "test", "held_out"],
        "Images to use; held_out needs a training with --held_out.",
    )


def define_dataset() -> flags.FlagHolder[str | None]:
    """Defines the flag of a command that reads images for any network."""
    return flags.DEFINE_string(
        "dataset",
        None,
        "Images instead of the training's; needed with --weights. A folder "
        "with one directory per class, cifar10_sample (bundled), fake, or any "
        "name of TensorFlow Datasets. Its classes are found by their names "
        "among the network's, and may be some of them.",
    )


def define_output(files: str) -> flags.FlagHolder[str | None]:
    """Defines the flag of a command that also writes its results.

    Args:
        files: what it writes.
    """
    return flags.DEFINE_string(
        "output",
        None,
        f"Directory for {files}. Default: --workdir; without it, they are not "
        "written.",
    )


def define_checkpoint_steps() -> flags.FlagHolder[int | None]:
    """Defines the flag of a command that trains."""
    return flags.DEFINE_integer(
        "checkpoint_steps",
        None,
        "Number of steps between checkpoints, in addition to those after each "
        "epoch.",
    )


def define_parallel() -> flags.FlagHolder[int]:
    """Defines the flag of a command that runs several trainings."""
    return flags.DEFINE_integer(
        "parallel",
        1,
        "Number of trainings at once, each in a process. With several, each "
        "gets its own GPUs, one or as many as its replicas, if there are "
        "enough; otherwise they share.",
        lower_bound=1,
    )


def entry_point(
    main: Callable[[list[str]], None],
    workdir: str | None = None,
    required: Iterable[str] = (),
    unused: Iterable[str] = (),
    groups: Mapping[str, list[flags.FlagHolder]] = types.MappingProxyType({}),
    takes_arguments: bool = False,
    resumes: bool = False,
) -> Callable[[], None]:
    """Wraps a command so that bad input gives a message, not a traceback.

    Args:
        main: the command; --help begins with its module's docstring.
        workdir: help text of --workdir; None: the command has no such flag.
        required: names of the required flags.
        unused: names of this module's flags that the command does not take.
        groups: flags of other modules, by their title in --help.
        takes_arguments: whether there may be values without a flag.
        resumes: whether the same command resumes after an interruption.

    Returns:
        A function for a console command. With --verbosity=1 it also shows the
        traceback.
    """

    def run():
        if sys.stderr is None:  # closed: the next file opened would become 2
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.stderr = open(2, "w", closefd=False)
        # If a worker is lost, TensorFlow's own errors are thirty lines.
        level = "3" if os.environ.get("TF_CONFIG") else "1"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", level)
        logging.use_absl_handler()
        logging.get_absl_handler().setFormatter(_Formatter())
        faulthandler.enable()
        for name in unused:
            delattr(flags.FLAGS, name)
        if workdir is None:
            delattr(flags.FLAGS, "workdir")
        else:
            flags.FLAGS["workdir"].help = workdir
        if {"--help", "-h"} & set(sys.argv):
            print(_help(main, required, groups))
            sys.exit()
        if "--version" in sys.argv:
            print(f"keras-resnetv2 {__version__}")
            sys.exit()
        quiet_tensorflow()
        try:
            main(_parse_flags(required, takes_arguments))
        except flags.Error as error:
            _end(f"{error}\nSee --help.")
        except (ArithmeticError, ImportError, OSError, ValueError) as error:
            logging.debug("Traceback:", exc_info=True)
            _end(str(error))
        except KeyboardInterrupt:
            goes_on = " The same command resumes it."
            print(f"Interrupted.{goes_on * resumes}", file=sys.stderr)
            sys.exit(130)  # the shell's status for Ctrl-C

    return run


class _Formatter(python_logging.Formatter):
    def format(self, record):
        return _told(record.levelname.lower(), super().format(record))


def _end(message):
    sys.exit(_told("error", message))


def _told(kind, message):
    name = os.path.basename(sys.argv[0])
    return f"{name}: {kind}: {as_called(message)}"


_COMMAND = re.compile(r"keras-resnetv2-([a-z0-9-]+)")


def as_called(text: str) -> str:
    """Replaces commands by scripts of a clone, if such a script is running.

    Args:
        text: text with installed commands, such as keras-resnetv2-train.
    """
    path = pathlib.Path(sys.argv[0])
    if path.suffix != ".py":
        return text
    return _COMMAND.sub(
        lambda match: f"python {path.with_stem(match[1].replace('-', '_'))}",
        text,
    )


def _parse_flags(required, takes_arguments):
    argv = flags.FLAGS(sys.argv)
    if flags.FLAGS["verbosity"].using_default_value:
        # absl's default shows all of TensorFlow's messages.
        flags.FLAGS.verbosity = logging.WARNING
    if argv[1:] and not takes_arguments:
        raise flags.Error(_without_a_flag(argv[1]))
    missing = [
        f"--{name}" for name in required if flags.FLAGS[name].value is None
    ]
    if missing:
        raise flags.Error(f"{' and '.join(missing)} must be given.")
    return argv


def _without_a_flag(word):
    from keras_resnetv2.data import DATASETS
    from keras_resnetv2.models.configs import MODELS

    # Flags that also take other values.
    names = {"model": MODELS, "dataset": DATASETS}
    fitting = [
        name
        for name in flags.FLAGS
        if word in names.get(name, ())
        or word
        in (getattr(flags.FLAGS[name].parser, "enum_values", None) or ())
    ]
    fitting += ["workdir"] if "workdir" in flags.FLAGS else []
    meant = f" Did you mean --{fitting[0]}={word}?" if fitting else ""
    return f"{word!r} has no flag before it.{meant}"


_GENERAL = """\
  --verbosity=N
      Messages to show: -1 warnings, 0 also progress, 1 also tracebacks.
      Default: -1.
  --version
      Print the version, and exit.
  -h, --help
      Print this help, and exit."""
# absl's name of a flag's type -> the text after the flag's name.
_VALUES = {
    "bool": "",
    "int": "=N",
    "float": "=NUMBER",
    "string": "=TEXT",
    "string enum": "=NAME",
    "comma separated list of strings": "=NAME,NAME",
    "multi string": "=TEXT",
}


def _help(main, required, groups):
    by_module = flags.FLAGS.flags_by_module_dict()
    # absl lists a script's own flags under the name it was called by.
    modules = __name__, main.__module__, sys.argv[0]
    own = {flag.name for name in modules for flag in by_module.get(name, ())}
    # In the order of their definitions.
    titled = {
        "Flags": [name for name in flags.FLAGS if name in own],
        **{title: [f.name for f in some] for title, some in groups.items()},
    }
    doc = sys.modules[main.__module__].__doc__ or ""
    blocks = [as_called(doc).strip()]
    for title, names in titled.items():
        lines = [
            _flag_help(flags.FLAGS[name], name in required) for name in names
        ]
        blocks.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join([*blocks, f"Others:\n{_GENERAL}"])


def _flag_help(flag, required):
    name = f"[no]{flag.name}" if flag.boolean else flag.name
    # absl adds a sentence to flags that may be repeated.
    text, _, _ = flag.help.partition(";\n    repeat this option")
    if choices := getattr(flag.parser, "enum_values", None):
        _, _, text = text.partition(">: ")  # absl puts the choices first
        text += f" One of {', '.join(choices)}."
    if flag.default not in (None, False, []):
        text += f" Default: {flag.default}."
    wrapped = textwrap.fill(
        " ".join(text.split()),
        80,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return (
        f"  --{name}{_VALUES[flag.flag_type()]}"
        f"{' (required)' if required else ''}\n{wrapped}"
    )
