"""Serves an export, sends queries, checks the answers and cleans up.

    python examples/serving/end_to_end.py
    python examples/serving/end_to_end.py --export=serving/cifar my/*.jpg

It serves an export of `tools/export.py`, or the published PreActResNet20, with
the best server on this machine, and prints which one. It sends the given
picture files, or held-out pictures of the bundled sample, over REST and, if the
server supports it, over gRPC. It compares the answers with those of the
SavedModel. (The export has compared these with the network.)

To use a running server, set TF_SERVING_URL=http://host:8501 and give --export
the directory that it serves. TF_SERVING_GRPC defaults to host:8500.
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
import start_server
import tensorflow as tf

import keras_resnetv2 as kr

TOLERANCE = 1e-3  # of a score: one of the two may run on a GPU


def export_published(folder):
    """Exports the published PreActResNet20."""
    network = kr.PreActResNet20(weights="cifar10")
    kr.export_saved_model(network, folder / "cifar")
    return folder / "cifar"


def own_answers(version, pictures):
    """Returns the SavedModel's answers in the format of the clients."""
    loaded = tf.saved_model.load(str(version))
    columns = loaded.signatures["classify"](image_bytes=tf.constant(pictures))
    rows = zip(*(columns[k].numpy() for k in ("classes", "scores", "valid")))
    return [
        dict(zip(classes.astype(str), scores)) if valid else None
        for classes, scores, valid in rows
    ]


def largest_difference(answers, own):
    """Returns the largest difference of all scores.

    Raises:
        RuntimeError: if it is too large, or the valid pictures differ.
    """
    worst = 0.0
    for answer, expected in zip(answers, own, strict=True):
        if (answer is None) != (expected is None):
            raise RuntimeError(
                "Server and SavedModel disagree on which files are pictures."
            )
        for name, score in answer or ():
            worst = max(worst, abs(score - expected.get(name, 0)))
    if worst > TOLERANCE:
        raise RuntimeError(f"The server's scores differ by {worst:.1e}.")
    return worst


def run(args, folder):
    """Runs everything; all files are written into the folder."""
    base_path = (args.export or export_published(folder)).resolve()
    version = start_server.newest(base_path)
    files = args.pictures
    if not files:
        held_out_pictures.write(folder / "pictures")
        (folder / "pictures" / "notes.txt").write_text("not a picture")
        files = sorted((folder / "pictures").iterdir())
    pictures = [path.read_bytes() for path in files]
    own = own_answers(version, pictures)
    with start_server.serving(base_path, version.name) as server:
        clients = [("REST", rest_client, server.url)]
        if server.grpc:
            import grpc_client  # needs tensorflow-serving-api

            clients.append(("gRPC", grpc_client, server.grpc))
        for api, client, address in clients:
            answers = client.classify(address, base_path.name, pictures)
            off = largest_difference(answers, own)
            print(
                f"{server.label}, {api} at {address}: {len(answers)} files, "
                f"{answers.count(None)} of them not pictures; scores within "
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
        help="directory of all versions",
    )
    parser.add_argument("pictures", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    if os.environ.get("TF_SERVING_URL") and args.export is None:
        parser.error("TF_SERVING_URL needs --export, the directory it serves")
    # Makes SIGTERM clean up like Ctrl-C.
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
