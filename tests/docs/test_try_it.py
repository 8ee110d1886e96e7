"""The page "Try it in the browser", built, served and used in Chromium."""

import functools
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image, ImageCms

import keras_resnetv2
from keras_resnetv2._origin import CLASS_NAMES
from keras_resnetv2.data import crops
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.image_files import read_image
from keras_resnetv2.data.orientation import TAG

pytestmark = pytest.mark.browser

DOCS = pathlib.Path(__file__).parents[2] / "docs"
BUILD = (sys.executable, DOCS / "try_it/build.py")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",  # of a process of root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60  # seconds for the runtime to load
# Two float32 programs on the same pixels; 3e-6 was seen.
WITHIN = 1e-4
# JPEG and lossy WebP: Pillow's decoder and Chromium's may be of different
# versions, and round differently. Here they never did.
WITHIN_LOSSY, PIXELS_LOSSY = 0.02, 1


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A bare page around the element, and beside it what build.py makes."""
    if not shutil.which("npm"):
        pytest.skip("needs npm")
    pytest.importorskip("tensorflow")
    root = tmp_path_factory.mktemp("site")
    subprocess.run([*BUILD, root / "_static/try_it"], check=True)
    page = (DOCS / "try_it.md").read_text()
    element = re.search(r"```\{raw\} html\n(.*?)```", page, re.DOTALL)[1]
    (root / "index.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>x</title>{element}"
    )
    return root


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Handler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Handler(http.server.SimpleHTTPRequestHandler):
    missing = None  # how the address ends that is not found

    def send_head(self):
        if self.missing and self.path.endswith(self.missing):
            return self.send_error(404)
        return super().send_head()

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Chromium and chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    service = webdriver.ChromeService(executable_path=driver)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    with webdriver.Chrome(options, service) as browser:
        yield browser


class Page:
    """What a user does on the page, and what is to be seen then."""

    def __init__(self, browser, address):
        self._browser = browser
        browser.get(address)
        self._until("return !document.querySelector('#try-it label').hidden")

    def choose(self, path):
        """Takes a file by the button; returns the message that follows."""
        self._clear()
        self._browser.find_element("css selector", "input").send_keys(str(path))
        return self._message()

    def drop(self, path):
        """Lets a file fall on the frame; returns the message that follows."""
        return self._drop(path, 0.5)

    def drop_beside(self, path):
        """Lets it fall below the frame."""
        return self._drop(path, 1.1)

    def _drop(self, path, height):
        self._clear()
        frame = self._browser.find_element("css selector", "#try-it label").rect
        event = {
            "x": frame["x"] + frame["width"] / 2,
            "y": frame["y"] + height * frame["height"],
            "data": {
                "items": [],
                "files": [str(path)],
                "dragOperationsMask": 1,
            },
        }
        for kind in ("dragEnter", "dragOver", "drop"):
            self._browser.execute_cdp_cmd(
                "Input.dispatchDragEvent", {"type": kind, **event}
            )
        return self._message()

    def _clear(self):
        self._run("document.querySelector('.try-it-message').textContent = ''")

    def _message(self):
        read = "return document.querySelector('.try-it-message').textContent"
        return self._until(
            f"const text = (() => {{ {read} }})();"
            "return text.startsWith('Loading') ? '' : text"
        )

    def scores(self):
        """The scores, in the order of the classes."""
        named = self._run(
            "return Array.from(document.querySelectorAll('#try-it li'), row =>"
            "[row.querySelector('.try-it-name').textContent,"
            " Number(row.dataset.score)])"
        )
        assert named == sorted(named, key=lambda row: -row[1])
        return in_order(named)

    def pixels(self):
        """What the page shows as the network's view: (32, 32, 3)."""
        values = self._run(
            "const canvas = document.querySelector('#try-it canvas');"
            "const context = canvas.getContext('2d');"
            "return Array.from(context.getImageData("
            "0, 0, canvas.width, canvas.height).data)"
        )
        return np.reshape(values, (32, 32, 4))[..., :3]

    def shows_a_result(self):
        return self._run(
            "return !document.querySelector('.try-it-result').hidden"
        )

    def _run(self, script):
        return self._browser.execute_script(script)

    def _until(self, script):
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self._browser, PATIENCE, 0.05)
        return wait.until(lambda _: self._run(script))


@pytest.fixture
def page(browser, address):
    return Page(browser, address)


@pytest.fixture(scope="module")
def network():
    return keras_resnetv2.PreActResNet20(weights="cifar10")


@pytest.fixture
def check(page, network, agree):
    """Compares what the page shows of a file with the package's answer."""

    def compare(kind, path, within, pixels_within):
        image = read_image(path)
        crop = crops.center(32).choose(np, None, *image.shape[:2], 32)
        seen = cut(image, crop, 32).astype(int)
        assert np.abs(page.pixels() - seen).max() <= pixels_within
        [answer] = keras_resnetv2.classify(network, path, 10)
        agree(f"page: {kind}", page.scores(), in_order(answer), within)

    return compare


def in_order(named):
    return [dict(named)[name] for name in CLASS_NAMES["cifar10"]]


def one_of_each():
    test = keras_resnetv2.load_arrays("cifar10_sample", "test")
    first = [np.argmax(test.labels == label) for label in range(10)]
    return [Image.fromarray(test.images[i]) for i in first]


def test_bundled_pictures(page, check, tmp_path):
    ways = page.choose, page.drop, page.drop_beside
    for i, picture in enumerate(one_of_each()):
        path = tmp_path / f"{i}.png"
        picture.save(path)
        assert ways[i % 3](path) == path.name
        assert page.shows_a_result()
        check("bundled pictures, PNG", path, WITHIN, 0)


def turned():
    exif = Image.Exif()
    exif[TAG] = 6
    return {"exif": exif.tobytes()}


def other_colours():
    """A profile in which red is blue; neither side shall follow it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    swapped = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    content = re.sub(
        b"rXYZ|bXYZ", lambda found: swapped[found[0]], profile.tobytes()
    )
    return {"icc_profile": content}


LOSSLESS = {
    "odd.png": {},
    "turned.png": turned(),
    "colours.png": other_colours(),
    "odd.gif": {},
    "odd.bmp": {},
    "lossless.webp": {"lossless": True},
}
LOSSY = {
    "odd.jpg": {"quality": 90},
    "progressive.jpg": {"quality": 75, "progressive": True},
    "turned.jpg": turned(),
    "colours.jpg": other_colours(),
    "lossy.webp": {"quality": 80},
}


@pytest.fixture(scope="module")
def odd(photograph):
    return photograph.crop((3, 5, 3 + 487, 5 + 331))


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_files(page, check, odd, tmp_path, name):
    odd.save(tmp_path / name, **LOSSLESS[name])
    assert page.drop(tmp_path / name) == name
    check("photograph, lossless", tmp_path / name, WITHIN, 0)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_files(page, check, odd, tmp_path, name):
    odd.save(tmp_path / name, **LOSSY[name])
    assert page.drop(tmp_path / name) == name
    check("photograph, lossy", tmp_path / name, WITHIN_LOSSY, PIXELS_LOSSY)


@pytest.mark.parametrize(
    "size", [(7, 13), (33, 32), (3000, 20), (31, 900), (2401, 1777)], ids=str
)
def test_sizes(page, check, photograph, tmp_path, size):
    path = tmp_path / "picture.png"
    photograph.resize(size).save(path)
    assert page.choose(path) == path.name
    check("photograph, other sizes", path, WITHIN, 0)


def test_what_is_no_picture_is_named(page, tmp_path):
    text, picture = tmp_path / "notes.txt", tmp_path / "picture.png"
    text.write_text("no picture")
    one_of_each()[0].save(picture)
    for _ in range(2):
        message = page.drop(text)
        assert "notes.txt cannot be read as a picture" in message
        assert not page.shows_a_result()
        assert page.drop(picture) == picture.name
        assert page.shows_a_result()


@pytest.mark.parametrize(
    "part, reason",
    [
        ("network.tflite", "network.tflite: 404"),
        ("network.json", "network.json: 404"),
        ("internal.js", "error"),
        ("internal.wasm", "wasm"),
    ],
)
def test_what_cannot_be_loaded_is_said(
    page, monkeypatch, tmp_path, part, reason
):
    picture = tmp_path / "picture.png"
    one_of_each()[0].save(picture)
    monkeypatch.setattr(Handler, "missing", part)
    message = page.choose(picture)
    assert "The network could not be loaded" in message
    assert reason in message
    assert not page.shows_a_result()


def test_nothing_leaves_the_page(browser, address, tmp_path):
    picture = tmp_path / "picture.png"
    one_of_each()[0].save(picture)
    browser.get_log("performance")  # what was before
    Page(browser, address).drop(picture)
    entries = browser.get_log("performance")
    events = [json.loads(entry["message"])["message"] for entry in entries]
    asked = [
        event["params"]["request"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert any("network.tflite" in request["url"] for request in asked)
    for request in asked:
        assert request["method"] == "GET"
        assert request["url"].startswith(address)
        assert "?" not in request["url"]
    kinds = {event["method"] for event in events}
    assert "Network.webSocketCreated" not in kinds


def test_build_says_that_npm_is_missing(tmp_path):
    built = subprocess.run(
        [*BUILD, tmp_path / "new"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 1
    assert "npm is not on the PATH" in built.stderr
    assert not (tmp_path / "new").exists()
