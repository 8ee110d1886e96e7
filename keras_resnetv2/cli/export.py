"""Exports a trained network for TF Serving, from its work directory alone.

export --workdir=runs/resnet20 --output=serving/resnet20
"""

from absl import flags

from keras_resnetv2.cli import common

_OUTPUT = flags.DEFINE_string(
    "output", None, "Directory of the versions; the next one is added."
)
flags.mark_flags_as_required(["workdir", "output"])


def main(argv):
    """Writes the next version of the SavedModel."""
    from keras_resnetv2 import export, training

    trained = training.load_trained(common.WORKDIR.value, dtype="float32")
    path = export.export_saved_model(
        trained.model,
        _OUTPUT.value,
        standardization=trained.facts.standardization,
        class_names=trained.facts.class_names,
    )
    print(f"Exported {trained.experiment.model} to {path}")


entry_point = common.entry_point(main)
