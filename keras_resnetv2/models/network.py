"""`ResNet`: the class of all our models."""

import contextlib
import sys

import keras

from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.network_configs import config_of
from keras_resnetv2.models.replicated_model import ReplicatedModel


@contextlib.contextmanager
def _deep_recursion(limit=20_000):
    """Lets Keras walk a graph of thousands of nodes, which it does recursively.

    From Python 3.11 on pure Python calls take no C stack, so that this is safe.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class ResNet(ReplicatedModel):
    """A functional `keras.Model` of any depth, for any number of replicas.

    Building, cloning and loading PreActResNet1202 go through this constructor;
    it keeps them from a RecursionError. To cut a sub-model out of a very deep
    net, use it as well: `ResNet(net.input, net.get_layer(name).output)`.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        with _deep_recursion():
            super().__init__(inputs, outputs, name=name, **kwargs)

    @property
    def config(self) -> ResNetConfig:
        """The config of the network, or of the one that it is built on.

        Raises:
            ValueError: for a model that does not begin with one of ours.
        """
        return config_of(self)
