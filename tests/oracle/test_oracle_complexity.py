"""`complexity` against what PyTorch counts while the oracle runs."""

import comparing
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from keras_resnetv2 import MODELS, Complexity, ResNetConfig, complexity

pytestmark = pytest.mark.parity

BATCH = 2
CONFIGS = {
    **MODELS,
    **{
        name: ResNetConfig(**options)
        for table in (comparing.COMBINATIONS, comparing.FURTHER)
        for name, options in table.items()
    },
}


def counted(config, image_shape):
    """Of tensors that have a shape and no values."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    def mask(name, shape):
        drops = not name.endswith("_relu")
        return torch.empty(shape, device="meta") if drops else None

    with (
        FlopCounterMode(display=False) as flops,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        logits, weights = comparing.meta_forward(
            comparing.settings_of(config),
            image_shape,
            batch=BATCH,
            training=True,
            mask=mask,
        )
        labels = torch.empty(BATCH, dtype=torch.int64, device="meta")
        loss = torch.nn.functional.cross_entropy(logits, labels)
    assert loss.requires_grad
    of_weights = {w.untyped_storage()._cdata for w in weights.values()}
    return Complexity(
        parameters=sum(w.numel() for w in weights.values() if w.requires_grad),
        multiply_adds=flops.get_total_flops() // (2 * BATCH),
        activations=sum(
            tensor.numel() // BATCH
            for storage, tensor in kept.items()
            if storage not in of_weights and _is_an_activation(tensor)
        ),
    )


def _is_an_activation(tensor):
    """No statistics of channels, labels or positions of maxima.

    To find the maxima of max-pooling PyTorch keeps their positions, TensorFlow
    the output, which either keeps as the next convolution's input.
    """
    return tensor.ndim > 1 and tensor.is_floating_point()


@pytest.mark.parametrize("name", CONFIGS)
def test_counts(name):
    config = CONFIGS[name]
    shape = (config.input_size, config.input_size, 3)
    assert complexity(config) == counted(config, shape)


def test_counts_of_an_odd_size():
    config = CONFIGS["ImageNet stem, bottleneck"]
    shape = (37, 50, 3)
    assert complexity(config, input_shape=shape) == counted(config, shape)
