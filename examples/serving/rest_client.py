"""Classifies picture files with TF Serving over REST.

    python examples/serving/rest_client.py \
        --url=http://localhost:8501 --model=cifar demo/pictures/*.png

It needs only Python. The request is in column form, which names its input once;
for row form ("instances") see README.md:

    {"signature_name": "classify",
     "inputs": {"image_bytes": [{"b64": "..."}, {"b64": "..."}]}}

The answer has one column per output, {"outputs": {"classes": [[...], [...]],
"scores": [[...], [...]], "valid": [true, true]}}.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import argparse
import base64
import http.client
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

PICTURES = 16  # per request: at most the server's max_batch_size
TIMEOUT = 60  # seconds

WHAT_TO_DO = {
    404: "Give --model the server's --model_name.",
    413: "Send fewer or smaller pictures.",
    503: "The server is busy or still loading; try again.",
}


def classify(url, model, pictures):
    """Returns [(class, score), ...] or None for each picture's bytes.

    Raises:
        RuntimeError: if the server does not answer; says what to do.
    """
    answers = []
    for start in range(0, len(pictures), PICTURES):
        outputs = _ask(url, model, pictures[start : start + PICTURES])
        columns = (outputs[name] for name in ("classes", "scores", "valid"))
        for classes, scores, valid in zip(*columns):
            answers.append(list(zip(classes, scores)) if valid else None)
    return answers


def _ask(url, model, pictures):
    encoded = [{"b64": base64.b64encode(p).decode()} for p in pictures]
    if "://" not in url:
        url = f"http://{url}"
    address = f"{url.rstrip('/')}/v1/models/{urllib.parse.quote(model)}"
    request = urllib.request.Request(
        f"{address}:predict",
        json.dumps(
            {"signature_name": "classify", "inputs": {"image_bytes": encoded}}
        ).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        todo = WHAT_TO_DO.get(error.code, f"See: curl {address}/metadata")
        raise RuntimeError(
            f"{url} answered HTTP {error.code}: {_reason(error)}. {todo}"
        ) from None
    except (ValueError, KeyError, http.client.HTTPException) as error:
        raise RuntimeError(
            f"{url} does not support TF Serving's REST API ({error!r}). Give "
            "--url the REST port, such as http://localhost:8501."
        ) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise RuntimeError(
                f"{url} did not answer within {TIMEOUT} seconds. It may be "
                "busy: try again, or send fewer or smaller pictures."
            ) from None
        raise RuntimeError(
            f"No server answers at {url} ({reason}). "
            "Start one (see examples/serving/README.md), or correct --url."
        ) from None


def _reason(error):
    """Returns TF Serving's {"error": ...}, or the whole answer, on one line."""
    body = error.read().decode(errors="replace")
    try:
        body = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(body.split())[:300]


def main(classify, flag, address, description):
    """Calls `classify` for the files on the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(flag, dest="address", default=address)
    parser.add_argument("--model", required=True, help="its name on the server")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    try:
        pictures = [path.read_bytes() for path in args.files]
        answers = classify(args.address, args.model, pictures)
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
    for path, answer in zip(args.files, answers):
        print(f"{path}: {describe(answer)}")


def describe(answer):
    """Returns a line of text for an answer of `classify`."""
    if answer is None:
        return "not a picture that the server can read"
    return ", ".join(f"{name} {score:.3f}" for name, score in answer)


if __name__ == "__main__":
    main(classify, "--url", "http://localhost:8501", __doc__.splitlines()[0])
