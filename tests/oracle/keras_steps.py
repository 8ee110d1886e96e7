"""Forward and backward pass of our networks, on the process's Keras backend.

Run with two paths: pickled cases, and where the pickled answers shall go.
"""

import pickle
import re
import sys

import keras
from keras.src.backend.common import dtypes

from keras_resnetv2 import ResNet, ResNetConfig, ResNetV2
from keras_resnetv2.models.layers import Dropout

# In float32 a value may come to lie on the other side of ReLU's kink, where
# the gradient is another: the oracle is told on which side ours are.
_MASKED = re.compile("_relu$|_drop(out)?$")


def answer(options, weights, images, labels):
    model = ResNetV2(
        ResNetConfig(**options),
        input_shape=images.shape[1:],
        classifier_activation=None,
    )
    model = with_taps(model)
    variables = {w.path: w for w in model.weights}
    assert variables.keys() == weights.keys()
    answers = {}
    for training in (True, False):
        for path, variable in variables.items():
            assert variable.shape == weights[path].shape, path
            variable.assign(weights[path])
        outputs, gradients, images_gradient = STEPS[keras.backend.backend()](
            model, images, loss_of(labels), training
        )
        outputs = numpy(outputs)
        answers[training] = {
            "logits": outputs.pop("logits"),
            "maps": {k: v for k, v in outputs.items() if "drop" not in k},
            "masks": masks(outputs),
            "statistics": numpy(
                {w.path: w.value for w in model.non_trainable_weights}
            ),
            "gradients": numpy(
                {w.path: g for w, g in zip(model.trainable_weights, gradients)}
                | {"images": images_gradient}
            ),
        }
    return answers


def with_taps(model):
    outputs = {"logits": model.output}
    for layer in model.layers:
        if isinstance(layer, Dropout) or (
            isinstance(layer, keras.layers.ReLU)
            and keras.config.floatx() == "float32"
        ):
            outputs[layer.name] = layer.output
        elif layer.name.endswith("_out"):
            outputs[layer.name.removesuffix("_out")] = layer.output
    return ResNet(model.input, outputs)


def masks(outputs):
    """What dropout kept, and in float32 ReLU, as zeros and ones.

    Where dropout's input is zero, no mask can be seen, and none matters.
    """
    kept = {k: v != 0 for k, v in outputs.items() if _MASKED.search(k)}
    return {
        k: v.any((1, 2, 3), keepdims=True) if "residual" in k else v
        for k, v in kept.items()
    }


def loss_of(labels):
    def loss(outputs):
        """Softmax cross-entropy."""
        logits = outputs["logits"]
        chosen = keras.ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        logs = keras.ops.log_softmax(logits)
        return -keras.ops.sum(chosen * logs) / len(labels)

    return loss


def numpy(tensors):
    return {k: keras.ops.convert_to_numpy(v) for k, v in tensors.items()}


def tensorflow_step(model, images, loss, training):
    import tensorflow as tf

    images = tf.constant(images)
    weights = [w.value for w in model.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=training)
        value = loss(outputs)
    *gradients, of_images = tape.gradient(value, [*weights, images])
    return outputs, gradients, of_images


def jax_step(model, images, loss, training):
    import jax

    states = [v.value for v in model.non_trainable_variables]

    def with_outputs(weights, images):
        outputs, new = model.stateless_call(
            weights, states, images, training=training
        )
        return loss(outputs), (outputs, new)

    (gradients, of_images), (outputs, new) = jax.grad(
        with_outputs, argnums=(0, 1), has_aux=True
    )([v.value for v in model.trainable_variables], jax.numpy.array(images))
    for variable, value in zip(model.non_trainable_variables, new):
        variable.assign(value)
    return outputs, gradients, of_images


def torch_step(model, images, loss, training):
    import torch

    torch.set_num_threads(1)  # the maps are small
    images = torch.tensor(images, requires_grad=True)
    outputs = model(images, training=training)
    weights = [w.value for w in model.trainable_weights]
    *gradients, of_images = torch.autograd.grad(
        loss(outputs), [*weights, images]
    )
    return outputs, gradients, of_images


STEPS = {
    "tensorflow": tensorflow_step,
    "jax": jax_step,
    "torch": torch_step,
}


if __name__ == "__main__":
    asked, answered = sys.argv[1:]
    with open(asked, "rb") as file:
        dtype, cases = pickle.load(file)
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", dtype == "float64")
    # On JAX and PyTorch, Keras takes means and normalizes in float32 even
    # where everything is float64; here it shall not.
    dtypes.BIT64_TO_BIT32_DTYPE.clear()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    keras.utils.set_random_seed(0)
    answers = {name: answer(**case) for name, case in cases.items()}
    with open(answered, "wb") as file:
        pickle.dump(answers, file)
