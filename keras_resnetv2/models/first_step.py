"""Shortens the way to a network's first step on TensorFlow.

Most of that way is Python: Keras's layers, TensorFlow's tracing. ResNet-1001
has 4,000 layers and 8,000 variables with the optimizer's.
"""

import contextlib
from collections.abc import Callable

import keras


def quick_variables() -> contextlib.AbstractContextManager:
    """Context in which TensorFlow makes variables faster.

    TensorFlow looks up the kernel that makes a variable's handle by the
    variable's name, and prepares a new one for each name: half a millisecond.
    Here all handles share one name. The variables keep their own names.
    """
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    with tf.init_scope():
        eager = tf.executing_eagerly()
    # A strategy makes other kinds of variables; in a graph, names are unique.
    if tf.distribute.has_strategy() or not eager:
        return contextlib.nullcontext()

    def with_common_handle(make, **kwargs):
        name = "/".join(
            filter(None, (tf.get_current_name_scope(), kwargs.get("name")))
        )
        variable = make(**{**kwargs, "name": "variable/"})
        variable._handle_name = f"{name}:0"
        return variable

    return tf.variable_creator_scope(with_common_handle)


def build_optimizer(model: keras.Model) -> None:
    """Makes the optimizer's variables before a step is traced.

    Otherwise Keras makes them in the traced step, and TensorFlow wraps each
    one in a condition. A train_step of the user's own may train other
    variables, so there Keras decides.

    Args:
        model: a compiled model.
    """
    if (
        keras.backend.backend() != "tensorflow"
        or type(model).train_step is not keras.Model.train_step
        or model.optimizer is None
        or model.optimizer.built
    ):
        return
    with model.distribute_strategy.scope(), quick_variables():
        model.optimizer.build(model.trainable_variables)


def in_one_function(
    model: keras.Model, step_function: Callable, of_keras: Callable
) -> Callable:
    """Returns a function that runs a step on the next batch of an iterator.

    Keras wraps a step into two functions, and TensorFlow keeps the graph of
    each. One is enough, unless XLA compiles it or it runs several steps.

    Args:
        model: a compiled model.
        step_function: its `train_step` or `test_step`.
        of_keras: what Keras made of it. It is used in all other cases.

    Returns:
        A function of an iterator of batches.
    """
    if (
        keras.backend.backend() != "tensorflow"
        or model.run_eagerly
        or model.jit_compile
        or model.steps_per_execution > 1
        or model.distribute_strategy.num_replicas_in_sync > 1
    ):
        return of_keras
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def on_next(iterator):
        return step_function(iterator.get_next())

    def function(batches):
        if isinstance(batches, tf.data.Iterator) and not any(
            # Keras removes these, which stand for None, from a batch.
            isinstance(spec, tf.OptionalSpec)
            for spec in tf.nest.flatten(batches.element_spec)
        ):
            return on_next(batches)
        return of_keras(batches)

    return function
