"""Trials to write reports of."""

from keras_resnetv2.tuning.trials import TrialRow


def completed(trial, error, parameters=None, multiply_adds=None, **changes):
    settings = {"epochs": 5, "seconds": 83.0, "values": {}} | changes
    return TrialRow(
        trial, "completed", error, parameters, multiply_adds, **settings
    )


def failed(trial, reason, parameters=None, multiply_adds=None, values={}):
    return TrialRow(
        trial,
        "failed",
        None,
        parameters,
        multiply_adds,
        epochs=0,
        seconds=None,
        values=values,
        reason=reason,
    )
