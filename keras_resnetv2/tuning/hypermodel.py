"""`ResNetV2HyperModel`: the search space for any of keras-tuner's tuners."""

import contextlib
import functools
from collections.abc import Iterable, Mapping

import keras
import keras_tuner
import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2.data import EncodedImages, ImageData
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.network import unscaled
from keras_resnetv2.training.averaging import set_averages, take_averages
from keras_resnetv2.training.data_facts import DataFacts, shape_of
from keras_resnetv2.training.devices import precision
from keras_resnetv2.training.errors import DivergedError, check_loss
from keras_resnetv2.training.evaluation import loss_and_error, predict_logits
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.fine_tuning import (
    freeze,
    initial_standardization,
    load_initial_weights,
)
from keras_resnetv2.training.images import experiment_batches
from keras_resnetv2.training.monitor import check_callbacks
from keras_resnetv2.training.networks import compile_model
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.tuning.space import SearchSpace

# `build` does not know the number of images, and assumes CIFAR's; `fit` does.
_IMAGES = 50_000


@contextlib.contextmanager
def _raising(kind, of):
    """Raises errors of one type as errors of keras-tuner's."""
    try:
        yield
    except of as error:
        raise kind(str(error)) from error


# An error that every trial would hit ends the search.
_ending_the_search = functools.partial(
    _raising, keras_tuner.errors.FatalValueError, of=ValueError
)
_failing_the_trial = functools.partial(
    _raising, keras_tuner.errors.FailedTrialError, of=DivergedError
)


class ResNetV2HyperModel(keras_tuner.HyperModel):
    """ResNet-v2 networks and recipes as a search space for keras-tuner.

    Works with every keras-tuner tuner. All trials run in the tuner's process.
    `tuning.search` (keras-resnetv2-tune) searches the same space with one
    process per trial.

    Args:
        base: all settings that are not searched, such as `epochs`, `precision`
            and `seed`. Do not set `replicas` (give the tuner a
            `distribution_strategy` instead), `held_out` or `deterministic`.
        space: see `SearchSpace`.
        search: see `SearchSpace`.
        classes: see `SearchSpace`.
        input_shape: see `SearchSpace`.
        max_parameters: largest number of trainable parameters. A trial above
            it, or above `max_flops`, fails before its network is built. A
            failed trial counts towards `max_trials`. Three in a row end the
            search; to allow more, raise `max_consecutive_failed_trials`.
        max_flops: largest number of multiply-adds per image.
        name: see `keras_tuner.HyperModel`.
        tunable: see `keras_tuner.HyperModel`.

    Attributes:
        search_space: the `SearchSpace`.

    Raises:
        ValueError: see `SearchSpace`.

    Example:
        >>> import keras_tuner
        >>> from keras_resnetv2 import training, tuning
        >>> base = training.Experiment("PreActResNet20", "cifar10", epochs=5)
        >>> hypermodel = tuning.ResNetV2HyperModel(
        ...     base, {"depth": (8, 20), "width": 16}, search=["learning_rate"]
        ... )
        >>> hp = keras_tuner.HyperParameters()
        >>> hypermodel.build(hp).output_shape
        (None, 10)
        >>> hp.values
        {'depth': 20, 'learning_rate': 0.1}
    """

    def __init__(
        self,
        base: Experiment,
        space: Mapping | None = None,
        *,
        search: Iterable[str] | None = None,
        classes: int | None = None,
        input_shape: tuple[int, int, int] | None = None,
        max_parameters: int | None = None,
        max_flops: int | None = None,
        name: str | None = None,
        tunable: bool = True,
    ):
        super().__init__(name=name, tunable=tunable)
        self.search_space = SearchSpace(
            base,
            space,
            search=search,
            classes=classes,
            input_shape=input_shape,
            max_parameters=max_parameters,
            max_flops=max_flops,
        )

    def declare_hyperparameters(self, hp) -> None:
        """Declares all searched hyper-parameters.

        Args:
            hp: a `keras_tuner.HyperParameters`.
        """
        self.search_space.declare(hp)

    def build(self, hp) -> keras.Model:
        """Builds and compiles a trial's network.

        Args:
            hp: a `keras_tuner.HyperParameters`.

        Returns:
            A `keras.Model` that maps standardized images (batch, H, W, C) to
            logits (batch, classes).

        Raises:
            keras_tuner.errors.FailedTrialError: if it exceeds the budget.
        """
        self.search_space.declare(hp)
        if excess := self.search_space.excess(hp.values):
            raise keras_tuner.errors.FailedTrialError(f"Not built: {excess}.")
        experiment = self.search_space.experiment(hp.values)
        keras.utils.set_random_seed(experiment.seed)
        with precision(experiment.precision):
            model = ResNetV2(
                experiment.config(),
                input_shape=self.search_space.input_shape,
                classes=self.search_space.classes,
                classifier_activation=None,
                name=experiment.model.lower(),
            )
            freeze(model, experiment.frozen_stages)
        compile_model(model, experiment, experiment.total_steps(_IMAGES))
        load_initial_weights(model, experiment.initial_weights)
        return model

    @_ending_the_search()
    def fit(
        self,
        hp,
        model: keras.Model,
        x: ImageData | EncodedImages | np.ndarray,
        y: np.ndarray | None = None,
        *,
        validation_data=None,
        epochs: int | None = None,
        initial_epoch: int = 0,
        callbacks: Iterable[keras.callbacks.Callback] | None = (),
        verbose: int | str = 0,
        **kwargs,
    ) -> dict[str, float]:
        """Trains a trial with the recipe, scaled to the trial's epochs.

        The network is tested once, after the last step, as in the paper. A
        search tests on held-out training images. If a callback stops a trial
        early, the network is tested then.

        Args:
            hp: a `keras_tuner.HyperParameters`.
            model: made by `build`.
            x: training images from `load_arrays` or `open_images`; or a uint8
                array (N, H, W, 3), values 0 to 255, with `y`. They are
                standardized and augmented here.
            y: if `x` is an array, integer labels (N,) or one-hot labels (N,
                classes).
            validation_data: the held-out images (`data.hold_out`), in the same
                form; arrays are given as a pair (images, labels).
            epochs: epoch at which the schedule ends. Defaults to the base's,
                or else the recipe's.
            initial_epoch: epoch at which this training begins, as in
                Hyperband. Schedule and order of the images continue from it.
            callbacks: further callbacks; they cannot set the learning rate.
            verbose: see `keras.Model.fit`.
            **kwargs: `class_weight`, see `keras.Model.fit`. Other arguments of
                `fit` are refused.

        Returns:
            A dict: {"val_error": (a fraction), "val_accuracy": ...,
            "val_loss": ...}.

        Raises:
            keras_tuner.errors.FailedTrialError: if the training diverges.
            keras_tuner.errors.FatalValueError: if arguments, images or
                callbacks do not fit; this ends the search.
        """
        space = self.search_space
        experiment = space.experiment(hp.values)
        _check_arguments(validation_data, kwargs, space.classes)
        callbacks = check_callbacks(callbacks)
        train = _image_data(x, y, space.classes)
        if not isinstance(validation_data, tuple):
            validation_data = (validation_data, None)
        held_out = _image_data(*validation_data, space.classes)
        for data in (train, held_out):
            _check_fits(data, experiment.encoded_size, space)
        facts = DataFacts.of(
            train,
            initial_standardization(experiment),
            experiment.encoded_size,
        )
        steps_per_epoch = experiment.steps_per_epoch(len(train))
        if epochs is None:
            epochs = experiment.epochs
            epochs = epochs or round(find_recipe(experiment.recipe).epochs)
        check_count("epochs", epochs)
        with _scope_of(model):
            compile_model(model, experiment, epochs * steps_per_epoch)
            model.optimizer.build(model.trainable_variables)
            set_averages(model)
            unscaled(model.optimizer).iterations.assign(
                initial_epoch * steps_per_epoch
            )
        batches = experiment_batches(
            experiment,
            train,
            facts.standardization,
            first_step=initial_epoch * steps_per_epoch,
            steps=epochs * steps_per_epoch,
        )
        judge = _Judge(
            held_out,
            facts.standardization,
            epochs,
            step=initial_epoch * steps_per_epoch,
        )
        model.fit(
            batches,
            epochs=epochs,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,  # the batches are in their order
            callbacks=[judge, *callbacks],
            verbose=verbose,
            **kwargs,
        )
        if judge.result is None:  # a callback has stopped it
            judge.test()
        return judge.result


# Argument of `keras.Model.fit` -> what to do instead.
_INSTEAD = {
    "batch_size": "Set it in the base, Experiment(..., batch_size=128), or in "
    "the space",
    "validation_split": "Hold images out: rest, held_out = data.hold_out("
    "images, 0.1), and give validation_data=held_out",
    "shuffle": "Images are always shuffled, by the seed",
    "steps_per_epoch": "An epoch has all images; for fewer give "
    "images.take(1000)",
    "sample_weight": "Only class_weight is supported",
}


def _check_arguments(validation_data, others, classes):
    if validation_data is None and "validation_split" not in others:
        raise ValueError(
            "A search needs validation_data to compare its trials; received "
            f"None. {_INSTEAD['validation_split']}."
        )
    if isinstance(validation_data, tuple) and len(validation_data) != 2:
        raise ValueError(
            "validation_data must be images from load_arrays or open_images, "
            "or a pair of arrays, images and labels; received a tuple of "
            f"{len(validation_data)}. Omit weights."
        )
    weights = others.get("class_weight")
    if weights is not None and not (
        isinstance(weights, Mapping) and set(weights) <= {*range(classes)}
    ):
        raise ValueError(
            f"class_weight must be a dict from labels (0 to {classes - 1}) to "
            f"weights; received {weights!r}."
        )
    refused = sorted(set(others) - {"class_weight"})
    if refused:
        instead = _INSTEAD.get(refused[0], "Omit it")
        raise ValueError(
            f"A search does not take {refused[0]}; received "
            f"{refused[0]}={others[refused[0]]!r}. {instead}."
        )


class _Judge(keras.callbacks.Callback):
    """Ends a training that diverges, and tests it after its last epoch.

    It does not test earlier. keras-tuner keeps the latest weights until an
    epoch has a score, so the weights it keeps are the tested ones.
    """

    def __init__(self, held_out, standardization, epochs, step):
        super().__init__()
        self._held_out = held_out
        self._standardization = standardization
        self._epochs = epochs
        self._step = step
        self.result = None

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        with _failing_the_trial():
            check_loss(logs["loss"], self._step)

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self._epochs:
            self.test()
            logs.update(self.result)

    def test(self):
        """Tests the network with its current weights, or their averages."""
        take_averages(self.model)  # as `fit` does next
        tested = loss_and_error(
            predict_logits(self.model, self._held_out, self._standardization),
            self._held_out.labels,
        )
        with _failing_the_trial():
            check_loss(tested["loss"], self._step)
        self.result = {
            "val_error": tested["error"],
            "val_accuracy": 1.0 - tested["error"],
            "val_loss": tested["loss"],
        }


def _scope_of(model):
    """Returns the scope of the strategy that keras-tuner uses."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return model.distribute_strategy.scope()


def _check_fits(data, encoded_size, space):
    shape = shape_of(data, encoded_size)
    if shape != space.input_shape or data.classes > space.classes:
        raise ValueError(
            "The networks of this search take images of shape "
            f"{space.input_shape} in {space.classes} classes; received images "
            f"of shape {shape} in {data.classes} classes. Give the hypermodel "
            "the input_shape= and classes= of the images."
        )


def _image_data(x, y, classes):
    if isinstance(x, ImageData | EncodedImages):
        return x
    if y is None:
        raise ValueError(
            "Images must come from load_arrays or open_images, or as two "
            f"arrays, images and labels; received only {type(x).__name__}."
        )
    return ImageData(
        np.asarray(x), _labels(y, classes), tuple(map(str, range(classes)))
    )


def _labels(y, classes):
    labels = np.asarray(y)
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"Labels must be integers, 0 to {classes - 1}; received "
            f"{labels.dtype}. Number the classes."
        )
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        is_one_hot = (
            np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all()
        )
        if not is_one_hot:
            raise ValueError(
                "Labels must be integers or one-hot; received an array of "
                f"shape {labels.shape} that is neither. To smooth labels, "
                "search or set label_smoothing."
            )
        labels = labels.argmax(axis=1)
    if (labels != np.round(labels)).any():
        raise ValueError(f"Labels must be integers; received {labels.dtype}.")
    return labels.reshape(-1).astype(np.int32)
