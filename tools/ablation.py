"""See keras_resnetv2/cli/ablation.py."""

from keras_resnetv2.cli.ablation import entry_point

if __name__ == "__main__":
    entry_point()
