"""See keras_resnetv2/cli/propagation.py."""

from keras_resnetv2.cli.propagation import entry_point

if __name__ == "__main__":
    entry_point()
