"""See keras_resnetv2/cli/report.py."""

from keras_resnetv2.cli.report import entry_point

if __name__ == "__main__":
    entry_point()
