"""The training that most tests of training run: seconds, not minutes."""

from keras_resnetv2.training import Experiment


def experiment(**kwargs):
    """A net of 8 layers on `fake`, which the fixture small_fake cuts."""
    return Experiment(
        **{
            "model": "PreActResNet20",
            "dataset": "fake",
            "options": {"depth": 8},
            "epochs": 3,
            "batch_size": 64,
            **kwargs,
        }
    )
