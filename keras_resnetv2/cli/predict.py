"""Classifies pictures: prints class names and scores, best first.

keras-resnetv2-predict --workdir=runs/resnet20 photo.jpg holiday/
keras-resnetv2-predict --model=PreActResNet20 --weights=cifar10 --csv photo.jpg
keras-resnetv2-predict --export=serving/resnet20 --contact_sheet=sheet.png .
"""

import json
import os
import sys

from absl import flags, logging

from keras_resnetv2._directories import kind_of_ours
from keras_resnetv2._tensorflow_start import known_lines_dropped
from keras_resnetv2._text import csv_table
from keras_resnetv2.cli import common, network_flags
from keras_resnetv2.data.image_files import PIXEL_LIMIT

_EXPORT = flags.DEFINE_string(
    "export",
    None,
    "Directory of an export, instead of --workdir. Its own limits on classes "
    "and pixels apply.",
)
_TOP = flags.DEFINE_integer("top", 3, "Number of classes to print.", 1)
_JSON = flags.DEFINE_boolean("json", False, "Print JSON.")
_CSV = flags.DEFINE_boolean("csv", False, "Print CSV, one line per class.")
_CONTACT_SHEET = flags.DEFINE_string(
    "contact_sheet",
    None,
    "Also write this PNG file, with the pictures and their classes below.",
)
_PIXEL_LIMIT = flags.DEFINE_integer(
    "pixel_limit", PIXEL_LIMIT, "Pictures with more pixels are not read.", 1
)


def main(argv):
    """Prints the classes; status 1 if a file could not be read."""
    from keras_resnetv2.data import contact_sheet
    from keras_resnetv2.data.image_folder import list_pictures

    if _JSON.value and _CSV.value:
        raise ValueError("Give --json or --csv, not both.")
    if not argv[1:]:
        raise ValueError(
            "No pictures were given. Give files or folders after the flags."
        )
    sheet = _CONTACT_SHEET.value
    if sheet is not None:
        contact_sheet.check_path(sheet)
    for path in argv[1:]:
        if kind := kind_of_ours(path):
            flag = "export" if "export" in kind else "workdir"
            raise ValueError(
                f"{path} is {kind}, not a picture. Did you mean "
                f"--{flag}={path}?"
            )
    files = list_pictures(argv[1:])
    answers = dict(zip(files, _classify(files)))
    named = {file: answer for file, answer in answers.items() if answer}
    print(_written(named))
    if sheet is not None and named:
        texts = [
            [
                os.path.basename(file),
                *(f"{name} {score:.1%}" for name, score in answer),
            ]
            for file, answer in named.items()
        ]
        contact_sheet.write_contact_sheet(
            sheet, list(named), texts, pixel_limit=_PIXEL_LIMIT.value
        )
    if len(named) < len(answers):
        sys.exit(
            f"{len(answers) - len(named)} of {len(answers)} files could not be "
            "read."
        )


def _classify(files):
    found = network_flags.load_network(_EXPORT)
    if found is None:
        for flag in (network_flags.IMAGE_SIZE, _PIXEL_LIMIT):
            if flag.present:
                raise ValueError(
                    f"--{flag.name} has no effect with --export: an export has "
                    "its own. Omit it, or export again with it."
                )
        from keras_resnetv2.export import exported

        with known_lines_dropped():
            answers = exported.classify(_EXPORT.value, files)
        for file, answer in zip(files, answers):
            if answer is None:
                logging.warning(
                    "%s is left out. An export reads JPEG, PNG, GIF, BMP, and "
                    "WebP without animation, within its pixel limit.",
                    file,
                )
        return [answer and answer[: _TOP.value] for answer in answers]
    from keras_resnetv2 import training

    _, network = found
    names = network.origin.class_names
    if names is None:
        names = [str(number) for number in range(network.output_shape[-1])]
        logging.warning(
            "The names of the classes are not known. Their numbers are given."
        )
    return training.classify(
        network,
        files,
        _TOP.value,
        class_names=names,
        pixel_limit=_PIXEL_LIMIT.value,
        skip_unreadable=True,
    )


def _written(answers):
    rows = [
        (file, rank, name, score)
        for file, answer in answers.items()
        for rank, (name, score) in enumerate(answer, 1)
    ]
    head = ("file", "rank", "class", "score")
    if _CSV.value:
        return csv_table(head, rows).rstrip()
    if _JSON.value:
        answers = [
            {
                "file": file,
                "classes": [
                    {"class": name, "score": score} for name, score in answer
                ],
            }
            for file, answer in answers.items()
        ]
        return json.dumps(answers, indent=2, ensure_ascii=False)
    width = max(map(len, answers), default=0)
    return "\n".join(
        f"{file:{width}}  "
        + ", ".join(f"{name} {score:.1%}" for name, score in answer)
        for file, answer in answers.items()
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the training, instead of --model or --export.",
    unused=["data_dir"],
    groups=network_flags.GROUPS,
    takes_arguments=True,
)
