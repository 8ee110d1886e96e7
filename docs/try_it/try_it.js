// Classifies a picture in the page. What is fetched, build.py has put beside
// this file; nothing is sent.

import { loadAndCompile, loadLiteRt, Tensor } from "./litert.js";
import { squareOf } from "./pixels.js";

const page = document.getElementById("try-it");
const message = page.querySelector(".try-it-message");
const input = page.querySelector("input");
const result = page.querySelector(".try-it-result");
const canvas = page.querySelector("canvas");
const scores = page.querySelector("ol");

let network;
let newest = 0;

page.querySelector("label").hidden = false;
say("");
input.addEventListener("change", () => {
  show(input.files[0]);
  // The same file may be chosen again.
  input.value = "";
});
// A picture dropped beside the frame would replace the page.
window.addEventListener("dragover", (event) => {
  if (hasFile(event)) {
    event.preventDefault();
  }
});
window.addEventListener("drop", (event) => {
  if (hasFile(event)) {
    event.preventDefault();
    show(event.dataTransfer.files[0]);
  }
});

function hasFile(event) {
  return event.dataTransfer.types.includes("Files");
}

async function show(file) {
  if (!file) {
    return;
  }
  const mine = ++newest;
  const answer = await answerTo(file).catch((error) => ({ error }));
  if (mine !== newest) {
    return;
  }
  say(answer.error ? answer.error.message : file.name);
  result.hidden = Boolean(answer.error);
  if (!answer.error) {
    paint(answer.square);
    list(answer.scores);
  }
}

async function answerTo(file) {
  const picture = await decode(file);
  if (!network) {
    say("Loading the network…");
    network = load();
  }
  const { model, size, resize, classes } = await network;
  const square = squareOf(picture, size, resize);
  picture.close();
  const pixels = new Tensor(Float32Array.from(square), [1, size, size, 3]);
  const [output] = await model.run([pixels]);
  const found = Array.from(output.toTypedArray());
  pixels.delete();
  output.delete();
  return { square, scores: found.map((score, i) => [classes[i], score]) };
}

async function decode(file) {
  try {
    return await createImageBitmap(file, {
      // As in the package: upright, and without a look at colour profiles.
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new Error(
      `${file.name} cannot be read as a picture. ` +
        "Choose a JPEG, PNG, GIF, BMP or WebP file.",
    );
  }
}

async function load() {
  try {
    const [description, weights] = await Promise.all([
      fetched("network.json").then((response) => response.json()),
      fetched("network.tflite").then((response) => response.arrayBuffer()),
      loadLiteRt(addressOf("litert_wasm_compat_internal.js")),
    ]);
    const model = await loadAndCompile(new Uint8Array(weights), {
      accelerator: "wasm",
    });
    return { model, ...description };
  } catch (error) {
    throw new Error(
      `The network could not be loaded (${error.message ?? error.type}). ` +
        "Reload the page to try again.",
    );
  }
}

async function fetched(name) {
  const response = await fetch(addressOf(name));
  if (!response.ok) {
    throw new Error(`${name}: ${response.status} ${response.statusText}`);
  }
  return response;
}

function addressOf(name) {
  return new URL(name, import.meta.url).href;
}

function say(text) {
  message.textContent = text;
}

function paint(square) {
  const side = Math.sqrt(square.length / 3);
  canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  image.data.fill(255);
  for (let i = 0; i < square.length; i++) {
    image.data[Math.trunc(i / 3) * 4 + (i % 3)] = square[i];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function list(named) {
  const rows = named
    .sort(([, one], [, other]) => other - one)
    .map(([name, score]) => {
      const percent = `${(score * 100).toFixed(1)} %`;
      const row = document.createElement("li");
      row.dataset.score = score;
      row.style.setProperty("--score", score);
      row.append(span("name", name), span("bar"), span("percent", percent));
      return row;
    });
  scores.replaceChildren(...rows);
}

function span(kind, text = "") {
  const element = document.createElement("span");
  element.className = `try-it-${kind}`;
  element.textContent = text;
  return element;
}
