"""Build other projects' ResNet-v2 networks with random weights.

`build(project, name, ...)` returns an `Original`:

* `logits(images)`: float32 NHWC images to logits, both numpy;
* `features(images)`: a list of NHWC feature maps, one a stride;
* `state`: the Keras model, or the PyTorch state_dict as numpy arrays;
* `model`: the Keras model or the PyTorch module.

Every weight is random: kernels He-normal, BatchNorm gammas of either sign,
betas, moving means, positive moving variances, and biases.

The projects: "applications" (50, 101, 152), "hub" (18, 34, 50, 101, 152, or
a dict of ResNetBackbone arguments), "timm" ("resnetv2_50d", ...) and
"pytorchcv" ("preresnet50", "preresnet20_cifar10", ...).
"""

import dataclasses
import typing
from collections.abc import Callable

import numpy as np

HUB_BLOCKS = {
    18: ("basic_block", [2, 2, 2, 2]),
    34: ("basic_block", [3, 4, 6, 3]),
    50: ("bottleneck_block", [3, 4, 6, 3]),
    101: ("bottleneck_block", [3, 4, 23, 3]),
    152: ("bottleneck_block", [3, 8, 36, 3]),
}


@dataclasses.dataclass
class Original:
    """A network of another project, in inference mode."""

    project: str
    name: str
    model: typing.Any
    state: typing.Any
    logits: Callable
    features: Callable


def _random(name, shape, random):
    """A random value for a weight, from its last name and its shape.

    The names of both frameworks: a 1-D `weight` is a BatchNorm's gamma.
    """
    if len(shape) == 4:  # the fan-in of HWIO; OIHW is passed in transposed
        fan_in = shape[0] * shape[1] * shape[2]
        return random.normal(0, np.sqrt(2 / fan_in), shape)
    if len(shape) == 2:  # in, out
        return random.normal(0, np.sqrt(1 / shape[0]), shape)
    if name in ("gamma", "weight"):
        sign = random.choice([-1.0, 1.0], shape, p=[0.25, 0.75])
        return sign * random.uniform(0.4, 1.2, shape)
    if name in ("moving_variance", "running_var"):
        return random.uniform(0.5, 2.0, shape)
    if name in ("beta", "bias", "moving_mean", "running_mean"):
        return random.normal(0, 0.2, shape)
    raise ValueError(f"No rule for the weight {name!r}, shape {shape}.")


# Keras


def randomize_keras(model, seed):
    """Set every variable of a Keras model at random."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed_generator" in variable.path:
            continue
        variable.assign(_random(variable.name, tuple(variable.shape), random))
    return model


def _keras_original(project, name, model, logits_model, taps, seed):
    import keras

    randomize_keras(model, seed)
    features = keras.Model(model.inputs[0], taps)
    return Original(
        project,
        str(name),
        model,
        model,
        lambda images: np.asarray(logits_model(images, training=False)),
        lambda images: [
            np.asarray(x) for x in features(images, training=False)
        ],
    )


def applications(depth=50, size=224, classes=1000, seed=0):
    """keras.applications.ResNet{depth}V2.

    `features`: the last signal of each stride: the stem's convolution
    (stride 2), then the sums after conv2_block{n-1}, conv3_block{n-1},
    conv4_block{n-1} and conv5_block{n}, since the last unit of conv2, 3 and
    4 already halves the map.
    """
    import keras

    blocks = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
    model = getattr(keras.applications, f"ResNet{depth}V2")(
        weights=None,
        classes=classes,
        # only 224 px are accepted with the top unless weights=None
        input_shape=(size, size, 3),
        classifier_activation=None,
    )
    names = ["conv1_conv"] + [
        f"conv{stage}_block{n - (stage < 5)}_out"
        for stage, n in enumerate(blocks, 2)
    ]
    taps = [model.get_layer(n).output for n in names]
    return _keras_original("applications", depth, model, model, taps, seed)


def hub(depth=50, size=224, classes=1000, seed=0):
    """keras_hub ResNetImageClassifier over a pre-activation ResNetBackbone.

    `features`: the stem's last convolution, then P2 to P5 (the stages' sums,
    no final BatchNorm). The backbone has a name of its own layers, nested in
    the classifier: `model.backbone.get_layer(...)`.
    """
    import keras_hub

    if isinstance(depth, dict):
        arguments = depth
    else:
        block_type, blocks = HUB_BLOCKS[depth]
        arguments = dict(block_type=block_type, stackwise_num_blocks=blocks)
    arguments = {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 128, 256, 512],
        "stackwise_num_strides": [1, 2, 2, 2],
        "use_pre_activation": True,
        "image_shape": (size, size, 3),
        **arguments,
    }
    backbone = keras_hub.models.ResNetBackbone(**arguments)
    model = keras_hub.models.ResNetImageClassifier(
        backbone=backbone, num_classes=classes
    )
    stem = f"conv{len(arguments['input_conv_filters'])}_conv"
    taps = [backbone.get_layer(stem).output]
    taps += list(backbone.pyramid_outputs.values())
    randomize_keras(model, seed)
    import keras

    features = keras.Model(backbone.inputs[0], taps)
    return Original(
        "hub",
        str(depth),
        model,
        model,
        lambda images: np.asarray(model(images, training=False)),
        lambda images: [
            np.asarray(x) for x in features(images, training=False)
        ],
    )


# PyTorch


def randomize_torch(module, seed):
    """Set every parameter and buffer of a PyTorch module at random."""
    import torch

    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            shape = tuple(tensor.shape)
            order = {4: (2, 3, 1, 0), 2: (1, 0)}.get(len(shape))
            turned = shape if order is None else [shape[i] for i in order]
            value = _random(name.rpartition(".")[2], tuple(turned), random)
            if order is not None:
                value = value.transpose(np.argsort(order))
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


def _torch_original(project, name, module, tap, seed, dtype):
    import torch

    module = randomize_torch(module, seed).to(getattr(torch, dtype)).eval()

    def run(function, images):
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images))
            x = x.permute(0, 3, 1, 2).to(getattr(torch, dtype))
            return function(x)

    def features(images):
        maps = run(lambda x: tap(module, x), images)
        return [m.permute(0, 2, 3, 1).contiguous().numpy() for m in maps]

    return Original(
        project,
        name,
        module,
        {k: v.numpy() for k, v in module.state_dict().items()},
        lambda images: run(module, images).numpy(),
        features,
    )


def timm(name="resnetv2_50", size=224, classes=1000, seed=0, dtype="float32"):
    """timm.create_model(name).

    `features`: forward_intermediates: the stem's last convolution, then the
    stages' sums (no final BatchNorm). `size` is not used: any size runs.
    """
    _stub_torchvision()
    import timm

    module = timm.create_model(name, pretrained=False, num_classes=classes)

    def tap(module, x):
        # in-place ReLUs overwrite a tapped map only where no BatchNorm
        # stands between, which is nowhere here
        return module.forward_intermediates(x, intermediates_only=True)

    return _torch_original("timm", name, module, tap, seed, dtype)


def pytorchcv(
    name="preresnet50", size=None, classes=None, seed=0, dtype="float32"
):
    """pytorchcv's get_model(name).

    `features`: after the stem's pooling-free part, then the stages' sums (no
    final BatchNorm). The stem of an ImageNet network is tapped BEHIND its
    BatchNorm and ReLU. Only 224 px (ImageNet) and 32 px (CIFAR) reach the
    classifier as it stands, the pool being a fixed 7x7 or 8x8; with another
    `size` the pool is replaced by a global one.
    """
    _stub_torchvision()
    import torch
    from pytorchcv.model_provider import get_model

    module = get_model(name, **({"num_classes": classes} if classes else {}))
    own = module.in_size[0]
    if size not in (None, own):
        module.features.final_pool = torch.nn.AdaptiveAvgPool2d(1)

    def tap(module, x):
        maps = []
        for child_name, child in module.features.named_children():
            if child_name == "init_block" and hasattr(child, "pool"):
                x = child.activ(child.bn(child.conv(x)))
                maps.append(x)
                x = child.pool(x)
            elif child_name.startswith("stage"):
                x = child(x)
                maps.append(x)
            elif child_name == "init_block":
                x = child(x)
        return maps

    return _torch_original("pytorchcv", name, module, tap, seed, dtype)


def _stub_torchvision():
    """Stand in for torchvision where it is missing."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        import torchvision_stub

        torchvision_stub.install()


def build(project, name, **options):
    """Build a network of one of the four projects."""
    makers = {
        "applications": applications,
        "hub": hub,
        "timm": timm,
        "pytorchcv": pytorchcv,
    }
    return makers[project](name, **options)
