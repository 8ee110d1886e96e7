"""The side of tools/benchmark.py on PyTorch, without Keras or this package.

The network is that of tests/oracle/torch_net.py, eager and channels-last.
"""

import pathlib
import sys

import torch
from benchmark_side import LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, initial

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests" / "oracle"))
import torch_net  # noqa: E402


def build(case, images, labels):
    """Returns the number of trained parameters, and a function of steps."""
    settings = torch_net.Settings(**case["terms"])
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    parameters, statistics = {}, {}

    def weight(name, shape):
        if "/moving_" in name:
            if name not in statistics:
                statistics[name] = torch.from_numpy(initial(case, name, shape))
            return statistics[name]
        if name not in parameters:
            parameters[name] = _parameter(initial(case, name, shape))
        value = parameters[name]
        # The net permutes a kernel back.
        return value.permute(2, 3, 1, 0) if value.ndim == 4 else value

    with torch.no_grad():  # makes the weights
        torch_net.forward(settings, weight, images[:1])
    optimizer = torch.optim.SGD(
        parameters.values(),
        LEARNING_RATE,
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
    )
    autocast = case["precision"] == "mixed_bfloat16"

    def train(steps):
        """Trains; returns the last step's loss."""
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                logits, new, _ = torch_net.forward(
                    settings, weight, images, training=True
                )
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()
            statistics.update(new)
        return loss.item()

    return sum(value.numel() for value in parameters.values()), train


def versions():
    """Returns the package's version."""
    return {"PyTorch": torch.__version__}


def _parameter(value):
    value = torch.from_numpy(value)
    if value.ndim == 4:
        value = value.permute(3, 2, 0, 1)
        value = value.contiguous(memory_format=torch.channels_last)
    return value.requires_grad_()
