"""See keras_resnetv2/cli/tune.py."""

from keras_resnetv2.cli.tune import entry_point

if __name__ == "__main__":
    entry_point()
