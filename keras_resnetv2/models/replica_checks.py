"""What several replicas cannot do as one device does: refused, with a reason.

Keras 3 takes all of it there, and computes something else or breaks.
"""

import keras

_CLIPPING = (
    "Keras clips every replica's own gradients before it adds them up. Leave "
    "it out"
)
# An optimizer's option -> what is wrong with it there, and what to do.
_OPTIMIZER_OPTIONS = {
    "clipnorm": _CLIPPING,
    "global_clipnorm": _CLIPPING,
    "clipvalue": _CLIPPING,
    "gradient_accumulation_steps": (
        "Keras cannot update replicas under a condition. Take a larger "
        "batch_size, which the replicas share"
    ),
    "ema_overwrite_frequency": (
        "Keras cannot update replicas under a condition. Leave it None: with "
        "use_ema=True the weights take their averages at the end of fit"
    ),
}
_MEANS = ("sum_over_batch_size", "mean")


def check_compiled(model: keras.Model, replicas: int) -> None:
    """Refuses options whose result depends on the number of replicas.

    Args:
        model: compiled.
        replicas: how many, at least 2.

    Raises:
        ValueError: names the option, what it does there and what to do.
    """
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for option, reason in _OPTIMIZER_OPTIONS.items():
        value = getattr(optimizer, option, None)
        if value:
            raise ValueError(
                f"{optimizer.name} has {option}={value}, which {replicas} "
                f"replicas do not do as one device does: {reason}, or train "
                "on one device."
            )
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", "mean")
        if reduction not in _MEANS:
            raise ValueError(
                f"The loss {loss.name} has reduction={reduction!r}, which "
                f"{replicas} replicas cannot put together from their shards "
                'of a batch. Use "sum_over_batch_size", or train on one '
                "device."
            )


def check_shared_out(batch, replicas: int) -> None:
    """Refuses a batch that every replica would get the whole of.

    Args:
        batch: what the replicas would get.
        replicas: how many, at least 2.

    Raises:
        ValueError: says what to call instead.
    """
    import tensorflow as tf

    if not isinstance(
        keras.tree.flatten(batch)[0], tf.distribute.DistributedValues
    ):
        raise ValueError(
            f"Received a batch that is not shared out among the {replicas} "
            "replicas: each of them would take all of it. Call fit, evaluate "
            "or predict in place of train_on_batch or predict_on_batch; they "
            "share it out."
        )


def check_shards(batch, strategy) -> None:
    """Refuses a training batch of which a replica gets no image.

    Args:
        batch: shared out.
        strategy: over more than one replica.

    Raises:
        ValueError: says how the batch was shared out and what to do.
    """
    check_shared_out(batch, strategy.num_replicas_in_sync)
    shards = strategy.experimental_local_results(keras.tree.flatten(batch)[0])
    images = [int(shard.shape[0]) for shard in shards]
    if not all(images):
        raise ValueError(
            f"A batch of {sum(images)} images leaves a replica without any: "
            f"received shards of {images}, and batch normalization needs "
            "images. Drop the last, incomplete batch (in tf.data: "
            "batch(..., drop_remainder=True)), or choose a batch_size that "
            "divides the number of images."
        )
