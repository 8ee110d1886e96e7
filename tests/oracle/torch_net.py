"""ResNet-v2 in plain torch.nn.functional, written from the paper alone.

He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016.
Shares no code with keras_resnetv2; the names of the weights are all that the
two have in common. Inside, maps are (batch, C, H, W).
"""

import dataclasses

import torch
import torch.nn.functional as F

# Fig. 4: before the first convolution, after the last, after the addition.
FIG_4 = {
    "a": ("", "BN", "ReLU"),
    "b": ("", "", "BN ReLU"),
    "c": ("", "BN ReLU", ""),
    "d": ("ReLU", "BN", ""),
    "e": ("BN ReLU", "", ""),
}

# Kernel sizes of a unit's convolutions, and their widths in stage widths.
UNITS = {
    "single": [(3, 1)],
    "basic": [(3, 1), (3, 1)],
    "bottleneck": [(1, 1), (3, 1), (1, 4)],
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A network, in the paper's terms.

    fig_2 and fig_4 are letters of panels, option is 2015's "A" or "B",
    lambdas the factors on shortcut and F, rate the shortcut's dropout, and
    death the fraction of images for which the last unit drops F.
    """

    units: tuple[int, ...]
    widths: tuple[int, ...]
    unit: str = "basic"
    fig_2: str = "a"
    fig_4: str = "e"
    option: str = "A"
    lambdas: tuple[float, float] = (0.5, 0.5)
    rate: float = 0.5
    death: float = 0.0
    stride_on_3x3: bool = False
    imagenet: bool = False
    classes: int = 10


def forward(settings, weight, images, training=False, mask=None):
    """Logits, new moving statistics, and the maps behind units and masks.

    Args:
        settings: a `Settings`.
        weight: a function of a weight's name and shape, kernels as (height,
            width, in, out), that gives its tensor.
        images: (batch, H, W, C).
        training: whether BN takes the batch's statistics, and masks apply.
        mask: a function of a name and a shape that gives zeros and ones:
            "..._shortcut_dropout" what dropout keeps, "..._residual_drop"
            the images that keep F. For "..._relu" it may say on which side
            of ReLU's kink each value is, or return None.
    """
    net = _Net(settings, weight, training, mask)
    logits = net(images.permute(0, 3, 1, 2))
    return logits, net.statistics, net.maps


class _Net:
    def __init__(self, settings, weight, training, mask):
        self.settings = settings
        self.weight = weight
        self.training = training
        self.mask_of = mask
        self.statistics = {}
        self.maps = {}

    def __call__(self, x):
        s = self.settings
        if s.imagenet:
            x = self.conv(x, "stem_conv", 7, s.widths[0], 2)
        else:
            x = self.conv(x, "stem_conv", 3, s.widths[0])
        # Fig. 5: the first activation comes before the split into two paths.
        x = self.ops("BN ReLU", x, "stem")
        if s.imagenet:
            x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        place = 0
        for stage, width in enumerate(s.widths):
            for number in range(s.units[stage]):
                place += 1
                x = self.unit(
                    x,
                    f"stage{stage + 1}_unit{number + 1}",
                    width,
                    stride=2 if stage and not number else 1,
                    first=place == 1,
                    death=s.death * place / sum(s.units),
                )
        # Fig. 5: and the last right after the last addition.
        x = self.ops(FIG_4[s.fig_4][0], x, "head").mean((2, 3))
        matrix = self.weight("predictions/kernel", (x.shape[1], s.classes))
        bias = self.weight("predictions/bias", (s.classes,))
        return F.linear(x, matrix.T, bias)

    def unit(self, x, name, width, stride, first, death):
        s = self.settings
        before, after, after_addition = FIG_4[s.fig_4]
        a = x if first else self.ops(before, x, f"{name}_preact")
        f = a
        convs = UNITS[s.unit]
        strided = 1 if s.stride_on_3x3 else 0
        for i, (k, multiple) in enumerate(convs):
            step = stride if i == strided else 1
            f = self.conv(f, f"{name}_conv{i + 1}", k, multiple * width, step)
            edge = after if i == len(convs) - 1 else "BN ReLU"
            f = self.ops(edge, f, f"{name}_conv{i + 1}")
        h, f = self.fig_2(x, a, f, name, stride)
        if death and self.training:
            images = (f.shape[0], 1, 1, 1)
            f = f * self.mask(f"{name}_residual_drop", images) / (1 - death)
        y = self.ops(after_addition, h + f, f"{name}_add")
        self.maps[name] = y.permute(0, 2, 3, 1)
        return y

    def fig_2(self, x, a, f, name, stride):
        s = self.settings
        channels = f.shape[1]
        if s.fig_2 == "e":
            conv = self.conv(x, f"{name}_shortcut_conv", 1, channels, stride)
            return conv, f
        h = self.change_dimensions(x, a, name, channels, stride)
        if s.fig_2 == "a":
            return h, f
        if s.fig_2 == "b":
            return s.lambdas[0] * h, s.lambdas[1] * f
        if s.fig_2 == "f":
            if self.training:
                mask = self.mask(f"{name}_shortcut_dropout", h.shape)
                h = h * mask / (1 - s.rate)
            return h, f
        gate = self.conv(x, f"{name}_gate", 1, channels, stride, bias=True)
        g = torch.sigmoid(gate)
        return (1 - g) * h, g * f if s.fig_2 == "c" else f

    def change_dimensions(self, x, a, name, channels, stride):
        if stride == 1 and x.shape[1] == channels:
            return x
        if self.settings.option == "A":
            new = channels - x.shape[1]
            return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, new))
        name = f"{name}_shortcut_projection"
        h = self.conv(a, name, 1, channels, stride)
        return self.ops("BN" if self.settings.fig_4 == "a" else "", h, name)

    def conv(self, x, name, k, filters, stride=1, bias=False):
        kernel = self.weight(f"{name}/kernel", (k, k, x.shape[1], filters))
        bias = self.weight(f"{name}/bias", (filters,)) if bias else None
        padding = k // 2
        if stride > 1 and padding:
            x, padding = F.pad(x, 4 * (padding,)), 0
        kernel = kernel.permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, bias, stride, padding)

    def ops(self, ops, x, name):
        for op in ops.split():
            f = self.relu if op == "ReLU" else self.bn
            x = f(x, f"{name}_{op.lower()}")
        return x

    def bn(self, x, name):
        gamma, beta, mean, variance = (
            self.weight(f"{name}/{each}", (x.shape[1],))
            for each in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        mean, variance = mean.clone(), variance.clone()
        x = F.batch_norm(
            x, mean, variance, gamma, beta, self.training, 0.1, 1e-5
        )
        self.statistics[f"{name}/moving_mean"] = mean
        self.statistics[f"{name}/moving_variance"] = variance
        return x

    def relu(self, x, name):
        side = self.mask(name, x.shape)
        if side is None:
            return F.relu(x)
        self.maps[name] = F.relu(x).permute(0, 2, 3, 1)
        return x * side

    def mask(self, name, shape):
        if self.mask_of is None:
            return None
        n, c, h, w = shape
        mask = self.mask_of(name, (n, h, w, c))
        return None if mask is None else mask.permute(0, 3, 1, 2)
