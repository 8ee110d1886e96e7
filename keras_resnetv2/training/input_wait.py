"""How long the training waits for its input."""

import time
from collections.abc import Iterator

import keras


class InputWait:
    """Measures the time in which the next batch is asked for and not there.

    Attributes:
        seconds: the sum since the beginning.
    """

    def __init__(self):
        self.seconds = 0.0

    def measure(self, model: keras.Model, batches):
        """Arranges for a compiled model's `fit` on these batches to be timed.

        Args:
            model: on TensorFlow it gets a train function that takes a batch
                out of the dataset first (Keras's does so inside its graph).
            batches: a `tf.data.Dataset` or an iterator.

        Returns:
            The batches to call `fit` with.
        """
        if keras.backend.backend() != "tensorflow":
            return self._timed(iter(batches))
        model.make_train_function()
        step = model.train_function

        def train_function(iterator):
            return step([self._next(iterator)])

        model.train_function = train_function
        return batches

    def _next(self, iterator):
        begin = time.perf_counter()
        try:
            return next(iterator)
        finally:
            self.seconds += time.perf_counter() - begin

    def _timed(self, iterator) -> Iterator:
        while True:
            try:
                batch = self._next(iterator)
            except StopIteration:
                return
            yield batch
