"""See keras_resnetv2/cli/prepare_cifar10.py."""

from keras_resnetv2.cli.prepare_cifar10 import entry_point

if __name__ == "__main__":
    entry_point()
