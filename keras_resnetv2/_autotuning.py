"""tf.data without autotuning: a call ends with its last batch.

With autotuning, an iterator may only be released when the thread that tunes it
wakes up, 10 ms x (2^k - 1) after its start. That is up to twice as late.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


def without_autotuning(dataset: "tf.data.Dataset") -> "tf.data.Dataset":
    """Makes a dataset's iterators end with their last element.

    Parallelism must be set explicitly then: AUTOTUNE means one call per core.

    Args:
        dataset: any dataset.

    Returns:
        A dataset of the same elements.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


class PromptStrategy:
    """A `tf.distribute` strategy whose datasets have no autotuning.

    Keras's `fit`, `evaluate` and `predict` give their datasets to the strategy.
    A dataset that sets `autotune.enabled` itself keeps it.

    Args:
        strategy: does everything else.
    """

    def __init__(self, strategy: "tf.distribute.Strategy"):
        self._strategy = strategy

    def __getattr__(self, name: str) -> Any:
        """Returns the strategy's own attribute."""
        return getattr(self._strategy, name)

    def experimental_distribute_dataset(self, dataset, options=None):
        """See `tf.distribute.Strategy`."""
        if dataset.options().autotune.enabled is None:
            dataset = without_autotuning(dataset)
        return self._strategy.experimental_distribute_dataset(dataset, options)
