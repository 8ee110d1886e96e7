"""See keras_resnetv2/cli/train.py."""

from keras_resnetv2.cli.train import entry_point

if __name__ == "__main__":
    entry_point()
