"""Fine-tunes on a few pictures per class, compared with random weights.

    python examples/fine_tune.py folder

A ResNet-20 learns five classes of the bundled sample. Then it learns the other
five from ten pictures each, starting from its own and from random weights.
"""

import pathlib
import sys

import keras
from PIL import Image

import keras_resnetv2 as kr


def write(folder, labels, pictures):
    for split, limit in (("train", pictures), ("test", None)):
        sample = kr.load_arrays("cifar10_sample", split)
        for label in labels:
            place = folder / split / sample.class_names[label]
            place.mkdir(parents=True, exist_ok=True)
            mine = sample.images[sample.labels == label][:limit]
            for i, picture in enumerate(mine):
                Image.fromarray(picture).save(place / f"{i:03}.png")
    return [kr.load_arrays(folder, split) for split in ("train", "test")]


def fit(model, images, steps, **rates):
    kr.training.compile(model, "paper", total_steps=steps, **rates)
    batches = kr.data.training_batches(
        images, batch_size=50, standardization="cifar10", steps=steps
    )
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)


def main(folder, source_steps=400, steps=200, seed=0):
    folder = pathlib.Path(folder).expanduser()
    many, _ = write(folder / "many", range(5), None)
    few, test = write(folder / "few", range(5, 10), 10)
    keras.utils.set_random_seed(seed)
    source = kr.PreActResNet20(classes=5)
    fit(source, many, source_steps)
    source.save_weights(folder / "source.weights.h5")
    trained = (folder / "source.weights.h5", 1, 0.01)  # the stem and stage 1
    for weights, frozen_stages, rate in (trained, (None, None, 0.1)):
        body = kr.PreActResNet20(False, weights, pooling="avg")
        head = keras.layers.Dense(5, name="predictions")
        model = kr.ResNet(body.input, head(body.output))
        kr.training.freeze(model, frozen_stages)
        fit(model, few, steps, learning_rate=0.1, backbone_learning_rate=rate)
        pixels = kr.preprocess_input(test.images, "cifar10")
        _, right = model.evaluate(pixels, test.labels, verbose=0)
        print(f"From {'weights' if weights else 'scratch'}: {right:.1%} right")


if __name__ == "__main__":
    main(*sys.argv[1:])
