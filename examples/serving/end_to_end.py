"""From weights to answers: export, a server, queries over REST and gRPC.

    python examples/serving/end_to_end.py

Trains a ResNet-20 for a few epochs on the bundled sample, exports it, starts a
server (it says which), sends held-out pictures as PNG files over both APIs,
compares the answers with the model's own, and cleans up. To serve others:

    end_to_end.py --weights=cifar10          the published ones of --model
    end_to_end.py --weights=my.weights.h5    of --model, ten CIFAR-10 classes
    end_to_end.py --workdir=runs/resnet20    of a training
    end_to_end.py --output=serving/cifar     keep the export; the name counts

A server that runs already is taken where TF_SERVING_URL=http://host:8501 names
it and --output is the directory it watches; TF_SERVING_GRPC is host:8500 unless
given.
"""

import argparse
import os
import pathlib
import signal
import sys
import tempfile
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc_client
import keras
import numpy as np
import rest_client
import servers
from PIL import Image

import keras_resnetv2 as kr

NETWORKS = [name for name in kr.MODELS if name.startswith("PreActResNet")]
TOLERANCE = 1e-3  # of a score: one of both may run on a GPU


class Source(NamedTuple):
    """A network and what it is asked; `resize` as of `export_saved_model`."""

    model: keras.Model
    test: kr.data.ImageData
    standardization: kr.data.Standardization
    resize: int
    logits: bool


def fresh(args):
    """The named network, with the given weights or a few epochs of training."""
    model = getattr(kr, args.model)(weights=args.weights, classes=10)
    if args.weights is None and args.epochs:
        train = kr.load_arrays("cifar10_sample", "train")
        steps = args.epochs * (len(train) // 64)
        batches = kr.data.training_batches(
            train, batch_size=64, standardization="cifar10", steps=steps
        )
        kr.training.compile(model, "paper", total_steps=steps)
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    test = kr.load_arrays("cifar10_sample", "test")
    standardization = kr.data.STANDARDIZATIONS["cifar10"]
    return Source(model, test, standardization, resize=32, logits=False)


def trained(args):
    """The network of a work directory, and the pictures held out of it.

    Raises:
        ValueError: if memory does not hold those pictures.
    """
    run = kr.training.load_trained(args.workdir, dtype="float32")
    streams = run.experiment.streams
    try:
        test = kr.load_arrays(
            run.experiment.dataset,
            "test",
            data_dir=args.data_dir,
            # So the server need not scale, which no two libraries do alike.
            image_size=run.resize if streams else run.experiment.image_size,
        )
    except ValueError as error:
        if not streams:
            raise
        raise ValueError(
            f"{args.workdir} was trained on images that are decoded as needed, "
            f"and here they must be held in memory: {error} Or export it with "
            "tools/export.py --workdir, and send pictures with rest_client.py."
        ) from None
    return Source(
        run.model, test, run.facts.standardization, run.resize, logits=True
    )


def own_probabilities(source, images):
    """The model's, of the centre of each image: (N, classes)."""
    height, width = source.model.input_shape[1:3]
    edge = (source.resize - height) // 2
    crops = images[:, edge : edge + height, edge : edge + width]
    own = source.model.predict(source.standardization(crops), verbose=0)
    return np.array(keras.ops.softmax(own)) if source.logits else own


def largest_difference(answers, probabilities, names):
    """Of all scores from the model's, for that class and for that place.

    Raises:
        RuntimeError: if a picture is not answered, or a score is far off.
    """
    worst = 0.0
    for row, answer in zip(probabilities, answers, strict=True):
        if answer is None:
            raise RuntimeError("A picture was taken for something else.")
        best = np.sort(row)[::-1]
        for place, (name, score) in enumerate(answer):
            own = row[names.index(name)], best[place]
            worst = max(worst, *(abs(score - value) for value in own))
    if worst > TOLERANCE:
        raise RuntimeError(f"The server's scores are off by {worst:.1e}.")
    return worst


def write_pictures(folder, images):
    """The images as PNG files, and a file that is none; the bytes of all."""
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.png")
    (folder / "notes.txt").write_text("not a picture")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def run(args, folder):
    """Everything; what it writes is in the folder, or in --output."""
    source = (trained if args.workdir else fresh)(args)
    test = source.test
    count = min(args.pictures, len(test))
    chosen = np.arange(count) * len(test) // count
    images, labels = test.images[chosen], test.labels[chosen]
    version = kr.export_saved_model(
        source.model,
        args.output or folder / "cifar",
        standardization=source.standardization,
        resize=source.resize,
        class_names=test.class_names,
    ).resolve()
    print(f"Exported {version}")
    own = own_probabilities(source, images)
    files = write_pictures(folder / "pictures", images)
    with servers.serving(version.parent, version.name) as server:
        print(f"Served by {server.label}: {server.url}, gRPC {server.grpc}")
        for api, client, address in (
            ("REST", rest_client, server.url),
            ("gRPC", grpc_client, server.grpc),
        ):
            *answers, other = client.classify(
                address, version.parent.name, files
            )
            off = largest_difference(answers, own, test.class_names)
            right = sum(
                answer[0][0] == test.class_names[label]
                for answer, label in zip(answers, labels)
            )
            print(
                f"{api}: {right} of {len(answers)} held-out pictures right, "
                f"scores within {off:.0e} of the model's; notes.txt is "
                f"{'no picture' if other is None else other}"
            )


def positive(text):
    """An int of at least 1, for argparse."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; received {text}")
    return int(text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--weights", help="of --model: cifar10 or a .weights.h5 file"
    )
    source.add_argument("--workdir", help="of a training")
    parser.add_argument("--data_dir", help="of --workdir's data")
    parser.add_argument("--model", default="PreActResNet20", choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=5, help="if fresh")
    parser.add_argument("--pictures", type=positive, default=100)
    parser.add_argument("--output", type=pathlib.Path, help="kept if given")
    args = parser.parse_args()
    if os.environ.get("TF_SERVING_URL") and args.output is None:
        parser.error("TF_SERVING_URL needs --output, the directory it watches")
    # Makes SIGTERM clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))
    try:
        with tempfile.TemporaryDirectory() as folder:
            tempfile.tempdir = folder  # of TensorFlow's generated code too
            run(args, pathlib.Path(folder))
        print("Server stopped, temporary files removed.")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
