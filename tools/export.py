"""See keras_resnetv2/cli/export.py."""

from keras_resnetv2.cli.export import entry_point

if __name__ == "__main__":
    entry_point()
