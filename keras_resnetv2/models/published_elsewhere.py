"""The weights that other projects publish, for the networks of this package."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_resnetv2.models.configs import MODELS, ResNetConfig, call_of


class Project(NamedTuple):
    """Where a project publishes its weights.

    Attributes:
        address: address of a file; "{file}" stands for its name.
        license: of the code, and of the weights where it is stated.
        errors: source of the errors.
    """

    address: str
    license: str
    errors: str


PROJECTS = {
    "keras_applications": Project(
        "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "{file}",
        "Apache-2.0 (code)",
        "README of keras-team/keras-applications; 299 pixels",
    ),
    "keras_hub": Project(
        "keras_hub.models.ResNetImageClassifier.from_preset('{file}')",
        "Apache-2.0 (code)",
        "none stated; converted from timm's a1h_in1k",
    ),
    "timm": Project(
        "https://huggingface.co/timm/{file}/resolve/main/model.safetensors",
        "Apache-2.0 (code and weights)",
        "results-imagenet.csv of huggingface/pytorch-image-models, at the "
        "size of the training",
    ),
    "pytorchcv": Project(
        "https://github.com/osmr/imgclsmob/releases/download/{file}.pth.zip",
        "MIT (code)",
        "README of pytorchcv 0.0.74",
    ),
}


class File(NamedTuple):
    """Weights of another project for one network.

    Attributes:
        reference: a key of `PROJECTS`, and the network's `reference`.
        model: a name in `MODELS`.
        file: name of the file in the project's address.
        error: top-1 test error in percent, as published; None if none is.
        tag: the dataset.
        options: further `ResNetConfig` fields, by name.
        resize: shorter side of a picture before the centre crop, in pixels;
            None if it is not stated.
        md5: hash of a file that this package can download.
    """

    reference: str
    model: str
    file: str
    error: float | None
    tag: str = "imagenet"
    options: Mapping[str, Any] = {}
    resize: int | None = None
    md5: str | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        return PROJECTS[self.reference].address.format(file=self.file)

    @property
    def config(self) -> ResNetConfig:
        """The network that it is for."""
        return dataclasses.replace(
            MODELS[self.model], reference=self.reference, **self.options
        )

    @property
    def label(self) -> str:
        """The network's model and options, like a call."""
        options = {"reference": self.reference, **self.options}
        return call_of(self.model, options)


# Depth, error, MD5.
_KERAS_APPLICATIONS = (
    (50, 24.04, "3ef43a0b657b3be2300d5770ece849e0"),
    (101, 22.77, "6343647c601c52e1368623803854d971"),
    (152, 21.97, "a49b44d1979771252814e80f8ec446f9"),
)
# Depth, name, error, resize.
_TIMM = (
    (18, "resnetv2_18.ra4_e3600_r224_in1k", 26.43, 248),
    (18, "resnetv2_18d.ra4_e3600_r224_in1k", 25.58, 248),
    (34, "resnetv2_34.ra4_e3600_r224_in1k", 22.37, 248),
    (34, "resnetv2_34d.ra4_e3600_r224_in1k", 21.73, 248),
    (50, "resnetv2_50.a1h_in1k", 19.59, 235),
    (101, "resnetv2_101.a1h_in1k", 17.96, 235),
)
# Depth, convolution with the stride, release and name, error.
_PYTORCHCV_IMAGENET = (
    (18, None, "v0.0.140/preresnet18-0972-5651bc2d", 28.43),
    (34, None, "v0.0.300/preresnet34-0774-fd5bd1e8", 24.89),
    (50, "conv1", "v0.0.330/preresnet50-0647-222ca73b", 22.40),
    (50, "conv2", "v0.0.307/preresnet50b-0655-8b60378e", 22.51),
    (101, "conv1", "v0.0.504/preresnet101-0563-8ec82f7d", 20.81),
    (101, "conv2", "v0.0.351/preresnet101b-0556-76bfe6d0", 21.04),
    (152, "conv1", "v0.0.510/preresnet152-0464-baeb6c52", 19.36),
    (152, "conv2", "v0.0.523/preresnet152b-0459-42c9fbcf", 19.23),
    (200, "conv2", "v0.0.529/preresnet200b-0468-f82215f3", 19.07),
)
# Depth, dataset, release and name, error.
_PYTORCHCV_SMALL = (
    (20, "cifar10", "v0.0.164/preresnet20_cifar10-0651-76cec68d", 6.51),
    (56, "cifar10", "v0.0.164/preresnet56_cifar10-0449-e9124fcf", 4.49),
    (110, "cifar10", "v0.0.164/preresnet110_cifar10-0386-cc08946a", 3.86),
    (164, "cifar10", "v0.0.196/preresnet164bn_cifar10-0364-429012d4", 3.64),
    (1001, "cifar10", "v0.0.209/preresnet1001_cifar10-0265-9fedfe5f", 2.65),
    (1202, "cifar10", "v0.0.246/preresnet1202_cifar10-0339-6fc686b0", 3.39),
    (20, "cifar100", "v0.0.187/preresnet20_cifar100-3022-3dbfa6a2", 30.22),
    (56, "cifar100", "v0.0.188/preresnet56_cifar100-2505-ca90a2be", 25.05),
    (110, "cifar100", "v0.0.191/preresnet110_cifar100-2267-3954e915", 22.67),
    (164, "cifar100", "v0.0.192/preresnet164bn_cifar100-2018-a8e67ca6", 20.18),
    (1001, "cifar100", "v0.0.283/preresnet1001_cifar100-1841-88f14ed9", 18.41),
    (20, "svhn", "v0.0.269/preresnet20_svhn-0322-c3c00fed", 3.22),
    (56, "svhn", "v0.0.269/preresnet56_svhn-0280-b51b4147", 2.80),
    (110, "svhn", "v0.0.269/preresnet110_svhn-0279-aa49e0a3", 2.79),
    (164, "svhn", "v0.0.269/preresnet164bn_svhn-0258-94d42de4", 2.58),
)
FILES = (
    *(
        File(
            "keras_applications",
            f"ResNet{depth}V2",
            f"resnet{depth}v2_weights_tf_dim_ordering_tf_kernels.h5",
            error,
            md5=md5,
        )
        for depth, error, md5 in _KERAS_APPLICATIONS
    ),
    *(
        File(
            "keras_hub",
            f"ResNet{depth}V2",
            f"resnet_v2_{depth}_imagenet",
            None,
        )
        for depth in (50, 101)
    ),
    *(
        File(
            "timm",
            f"ResNet{depth}V2",
            name,
            error,
            options={"stem": "imagenet_deep"} if "d." in name else {},
            resize=resize,
        )
        for depth, name, error, resize in _TIMM
    ),
    *(
        File(
            "pytorchcv",
            f"ResNet{depth}V2",
            name,
            error,
            options={"bottleneck_stride": stride} if stride else {},
            resize=256,
        )
        for depth, stride, name, error in _PYTORCHCV_IMAGENET
    ),
    *(
        File(
            "pytorchcv",
            f"PreActResNet{depth}",
            name,
            error,
            tag,
            options={"classes": 100 if tag == "cifar100" else 10},
        )
        for depth, tag, name, error in _PYTORCHCV_SMALL
    ),
)
