"""See keras_resnetv2/cli/evaluate.py."""

from keras_resnetv2.cli.evaluate import entry_point

if __name__ == "__main__":
    entry_point()
