"""What the command lines share: flags, --help, how errors and ends read."""

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

WORKDIR = flags.DEFINE_string("workdir", None, "As `entry_point` is told.")
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Where TensorFlow Datasets keeps its data. Default: its own default.",
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
    main: Callable[[list[str]], None],
    workdir: str | None = None,
    required: Iterable[str] = (),
    unused: Iterable[str] = (),
    groups: Mapping[str, list[flags.FlagHolder]] = types.MappingProxyType({}),
    takes_arguments: bool = False,
    resumes: bool = False,
) -> Callable[[], None]:
    """Wraps a command so that bad input is one message, not a traceback.

    Args:
        main: the command; --help begins with its module's docstring.
        workdir: what --help says of --workdir; None: it is not taken.
        required: names of the flags that must be given.
        unused: names of the flags of this module that it does not take.
        groups: flags of other modules, by the title that they have in --help.
        takes_arguments: whether there may be values without a flag.
        resumes: whether the same command goes on where it was interrupted.

    Returns:
        A function for a console command. With --verbosity=1 it shows the
        traceback, too.
    """

    def run():
        if sys.stderr is None:  # closed: another file would be opened as 2
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.stderr = open(2, "w", closefd=False)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
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
            goes_on = " The same command goes on from what is done."
            print(f"Interrupted.{goes_on * resumes}", file=sys.stderr)
            sys.exit(130)  # a shell's status for it

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
    """Puts the files of a clone in place of commands, if one of them runs.

    Args:
        text: with commands as they are installed, keras-resnetv2-train, say.
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
        # absl's default would let all of TensorFlow's chatter through.
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

    # Of flags that take something else, too.
    names = {"model": MODELS, "dataset": DATASETS}
    fitting = [
        name
        for name in flags.FLAGS
        if word in names.get(name, ())
        or word
        in (getattr(flags.FLAGS[name].parser, "enum_values", None) or ())
    ]
    flag = next(iter(fitting), "workdir")
    return f"{word!r} has no flag before it. Did you mean --{flag}={word}?"


_GENERAL = """\
  --verbosity=N
      What is logged: -1 warnings, 0 also what is done, 1 also tracebacks.
      Default: -1.
  --version
      Print the version, and end.
  -h, --help
      Print this, and end."""
# Of a flag's type, as absl calls it, what stands behind its name.
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
    # A script's own flags go by the name that it was called by.
    modules = __name__, main.__module__, sys.argv[0]
    own = {flag.name for name in modules for flag in by_module.get(name, ())}
    # They are listed as they were defined.
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
    # absl's words behind those of a flag that may be repeated
    text, _, _ = flag.help.partition(";\n    repeat this option")
    if choices := getattr(flag.parser, "enum_values", None):
        _, _, text = text.partition(">: ")  # absl puts them in front
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
