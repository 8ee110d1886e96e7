"""See keras_resnetv2/cli/predict.py."""

from keras_resnetv2.cli.predict import entry_point

if __name__ == "__main__":
    entry_point()
