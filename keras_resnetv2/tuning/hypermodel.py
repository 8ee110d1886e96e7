"""`ResNetV2HyperModel`: the search space for any of keras-tuner's tuners."""

import contextlib
import math
from collections.abc import Iterable, Mapping

import keras
import keras_tuner
import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2.data import EncodedImages, ImageData
from keras_resnetv2.models.builder import ResNetV2
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

# `build` does not know how many images there will be: CIFAR's, until `fit`.
_IMAGES = 50_000


@contextlib.contextmanager
def _ending_the_search():
    """What every trial would fail by is no trial's failure."""
    try:
        yield
    except ValueError as error:
        raise keras_tuner.errors.FatalValueError(str(error)) from error


class ResNetV2HyperModel(keras_tuner.HyperModel):
    """ResNet-v2 networks and their recipe, to be searched with keras-tuner.

    Every tuner of keras-tuner takes it, and trains the trials in its own
    process. `tuning.search` (keras-resnetv2-tune) searches the same space
    with a process for each trial.

    Args:
        base: every setting that is not searched, `epochs`, `precision` and
            `seed` among them; but not `replicas` (give the tuner a
            `distribution_strategy`), `held_out` and `deterministic`.
        space: as for `SearchSpace`.
        search: as for `SearchSpace`.
        classes: as for `SearchSpace`.
        input_shape: as for `SearchSpace`.
        max_parameters: as for `SearchSpace`. A trial above it, or above
            `max_flops`, fails before its network is built. keras-tuner's
            tuners count that among their `max_trials`, and stop after
            `max_consecutive_failed_trials` (3) of them: raise it.
        max_flops: as for `SearchSpace`, in multiply-adds an image.
        name: as for `keras_tuner.HyperModel`.
        tunable: as for `keras_tuner.HyperModel`.

    Attributes:
        search_space: the `SearchSpace`.

    Raises:
        ValueError: as `SearchSpace`.

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
        """Declares everything that is searched.

        Args:
            hp: a `keras_tuner.HyperParameters`.
        """
        self.search_space.declare(hp)

    def build(self, hp) -> keras.Model:
        """Builds and compiles a trial's network.

        Args:
            hp: a `keras_tuner.HyperParameters`.

        Returns:
            A `keras.Model` from standardised images (batch, H, W, C) to logits
            (batch, classes).

        Raises:
            keras_tuner.errors.FailedTrialError: if it is above the budget.
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
        """Trains a trial by the recipe, scaled to the trial's epochs.

        The network is judged as it is after the last step, as in the paper,
        once; by images that are held out of the training set, in a search. If
        a callback stops a trial early, the network is judged as it is then.

        Args:
            hp: a `keras_tuner.HyperParameters`.
            model: what `build` returned.
            x: training images, from `load_arrays` or `open_images`; or a uint8
                array (N, H, W, 3), values 0 to 255, with `y`. They are
                standardised and augmented here.
            y: where `x` is an array, integer labels (N,), or one-hot ones (N,
                classes).
            validation_data: the held-out part (`data.hold_out`), likewise; two
                arrays are a pair.
            epochs: at which the schedule ends. Defaults to the base's, or else
                the recipe's.
            initial_epoch: at which this training begins, as Hyperband does:
                the schedule and the order of the images go on from there.
            callbacks: further ones; the learning rate is the trial's.
            verbose: as for `keras.Model.fit`.
            **kwargs: `class_weight`, as for `keras.Model.fit`; its others are
                refused.

        Returns:
            A dict: {"val_error": (a fraction), "val_accuracy": ...,
            "val_loss": ...}.

        Raises:
            keras_tuner.errors.FailedTrialError: if the training diverges.
            keras_tuner.errors.FatalValueError: for arguments, images or
                callbacks that do not fit, which ends the search.
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
            _check_fits(data, experiment.stream_size, space)
        facts = DataFacts.of(
            train,
            initial_standardization(experiment),
            experiment.stream_size,
        )
        batch_size = experiment.images_per_step
        steps_per_epoch = math.ceil(len(train) / batch_size)
        if epochs is None:
            epochs = experiment.epochs
            epochs = epochs or round(find_recipe(experiment.recipe).epochs)
        check_count("epochs", epochs)
        with _scope_of(model):
            compile_model(model, experiment, epochs * steps_per_epoch)
            optimizer = model.optimizer
            optimizer = getattr(optimizer, "inner_optimizer", optimizer)
            optimizer.iterations.assign(initial_epoch * steps_per_epoch)
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


# What `fit` has, and what to do instead.
_INSTEAD = {
    "batch_size": "It is a setting: Experiment(..., batch_size=128), or in the "
    "space",
    "validation_split": "Hold images out: rest, held_out = data.hold_out("
    "images, 0.1), and give validation_data=held_out",
    "shuffle": "Every epoch has an order of its own, by the seed",
    "steps_per_epoch": "An epoch is all images; take fewer: images.take(1000)",
    "sample_weight": "Only class_weight is taken",
}


def _check_arguments(validation_data, others, classes):
    if validation_data is None and "validation_split" not in others:
        raise ValueError(
            "A search judges its trials by validation_data; received None. "
            f"{_INSTEAD['validation_split']}."
        )
    if isinstance(validation_data, tuple) and len(validation_data) != 2:
        raise ValueError(
            "validation_data must be images from load_arrays or open_images, "
            "or a pair of arrays, images and labels; received a tuple of "
            f"{len(validation_data)}. Leave weights out."
        )
    weights = others.get("class_weight")
    if weights is not None and not (
        isinstance(weights, Mapping) and set(weights) <= {*range(classes)}
    ):
        raise ValueError(
            f"class_weight must be a dict, labels (0 to {classes - 1}) to "
            f"weights; received {weights!r}."
        )
    refused = sorted(set(others) - {"class_weight"})
    if refused:
        instead = _INSTEAD.get(refused[0], "Leave it out")
        raise ValueError(
            f"A search takes no {refused[0]}; received "
            f"{refused[0]}={others[refused[0]]!r}. {instead}."
        )


class _Judge(keras.callbacks.Callback):
    """Ends a training that diverges, and tests it after its last epoch.

    Not before: keras-tuner keeps the weights of an epoch for as long as it
    knows no figure of them, so those it keeps are the ones that were judged.
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
        """Tests the network as it is."""
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


@contextlib.contextmanager
def _failing_the_trial():
    try:
        yield
    except DivergedError as error:
        raise keras_tuner.errors.FailedTrialError(str(error)) from error


def _scope_of(model):
    """The scope of the strategy that keras-tuner has built the model in."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return model.distribute_strategy.scope()


def _check_fits(data, stream_size, space):
    shape = shape_of(data, stream_size)
    if shape != space.input_shape or data.classes > space.classes:
        raise ValueError(
            "The networks of this search are for images of shape "
            f"{space.input_shape} in {space.classes} classes; received images "
            f"of shape {shape} in {data.classes}. Give the hypermodel their "
            "input_shape= and classes=."
        )


def _image_data(x, y, classes):
    if isinstance(x, ImageData | EncodedImages):
        return x
    if y is None:
        raise ValueError(
            "Images must come from load_arrays or open_images, or as two "
            f"arrays, images and labels; received {type(x).__name__} alone."
        )
    return ImageData(
        np.asarray(x), _labels(y, classes), tuple(map(str, range(classes)))
    )


def _labels(y, classes):
    labels = np.asarray(y)
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"Labels must be integers, 0 to {classes - 1}; received "
            f"{labels.dtype}. Give every class a number."
        )
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        is_one_hot = (
            np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all()
        )
        if not is_one_hot:
            raise ValueError(
                "Labels must be integers or one-hot; received an array of "
                f"shape {labels.shape} that is neither. For smoothed labels "
                "search or set label_smoothing."
            )
        labels = labels.argmax(axis=1)
    if (labels != np.round(labels)).any():
        raise ValueError(f"Labels must be integers; received {labels.dtype}.")
    return labels.reshape(-1).astype(np.int32)
