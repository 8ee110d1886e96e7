"""From an export to answers: a server, queries, a comparison, and clean-up.

    python examples/serving/end_to_end.py
    python examples/serving/end_to_end.py --export=serving/cifar my/*.jpg

Serves an export of `tools/export.py`, or without --export the published
PreActResNet20, with the best server there is (it says which). Sends picture
files, or without any the bundled sample's held-out ones, over REST, and over
gRPC where the server has it. Compares the answers with the SavedModel's own,
which the export has compared with the network's.

A server that runs already is taken where TF_SERVING_URL=http://host:8501 names
it and --export is the directory it watches; TF_SERVING_GRPC is host:8500 unless
given.
"""

import argparse
import os
import pathlib
import signal
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import held_out_pictures
import rest_client
import servers
import tensorflow as tf

import keras_resnetv2 as kr

TOLERANCE = 1e-3  # of a score: one of both may run on a GPU


def export_published(folder):
    """The export of the published PreActResNet20."""
    network = kr.PreActResNet20(weights="cifar10")
    kr.export_saved_model(network, folder / "cifar")
    return folder / "cifar"


def own_answers(version, pictures):
    """What the SavedModel says of each picture, in the form of the clients."""
    loaded = tf.saved_model.load(str(version))
    columns = loaded.signatures["classify"](image_bytes=tf.constant(pictures))
    rows = zip(*(columns[k].numpy() for k in ("classes", "scores", "valid")))
    return [
        dict(zip(classes.astype(str), scores)) if valid else None
        for classes, scores, valid in rows
    ]


def largest_difference(answers, own):
    """Of all scores.

    Raises:
        RuntimeError: if it is large, or other pictures or classes are named.
    """
    worst = 0.0
    for answer, expected in zip(answers, own, strict=True):
        if (answer is None) != (expected is None):
            raise RuntimeError("A picture was taken for something else.")
        for name, score in answer or ():
            worst = max(worst, abs(score - expected.get(name, 0)))
    if worst > TOLERANCE:
        raise RuntimeError(f"The server's scores are off by {worst:.1e}.")
    return worst


def run(args, folder):
    """Everything; what it writes is in the folder."""
    base_path = (args.export or export_published(folder)).resolve()
    version = servers.newest(base_path)
    files = args.pictures
    if not files:
        held_out_pictures.write(folder / "pictures")
        (folder / "pictures" / "notes.txt").write_text("not a picture")
        files = sorted((folder / "pictures").iterdir())
    pictures = [path.read_bytes() for path in files]
    own = own_answers(version, pictures)
    with servers.serving(base_path, version.name) as server:
        clients = [("REST", rest_client, server.url)]
        if server.grpc:
            import grpc_client  # it needs tensorflow-serving-api

            clients.append(("gRPC", grpc_client, server.grpc))
        for api, client, address in clients:
            answers = client.classify(address, base_path.name, pictures)
            off = largest_difference(answers, own)
            print(
                f"{server.label}, {api} at {address}: {len(answers)} files, "
                f"{answers.count(None)} of them no pictures; scores within "
                f"{off:.0e} of the SavedModel's"
            )
    for path, answer in zip(files, answers):
        print(f"{path.name}: {rest_client.describe(answer)}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--export",
        type=lambda path: pathlib.Path(path).expanduser(),
        help="of all versions",
    )
    parser.add_argument("pictures", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    if os.environ.get("TF_SERVING_URL") and args.export is None:
        parser.error("TF_SERVING_URL needs --export, the directory it watches")
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
