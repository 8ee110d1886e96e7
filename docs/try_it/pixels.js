// The square that the network sees of a picture, as keras_resnetv2.classify
// cuts it: the shorter side scaled bilinearly with antialiasing, then the
// centre. A canvas scales differently in every browser, so this is Pillow's
// arithmetic, which gives the same pixels to the bit.

// Pillow's weights are whole numbers, this many bits after the point.
const BITS = 22;
// A canvas of a whole photograph may be larger than a browser allows.
const STRIP = 256;

/**
 * Scales a picture and cuts its centre out.
 *
 * @param {ImageBitmap} picture of any size.
 * @param {number} size of the square's side.
 * @param {number} resize what the picture's shorter side is scaled to.
 * @returns {Uint8ClampedArray} size x size x RGB.
 */
export function squareOf(picture, size, resize) {
  const [down, right] = spansOf([picture.height, picture.width], size, resize);
  const rows = pointsOf(down, picture.height, size);
  const columns = pointsOf(right, picture.width, size);
  const top = rows[0].first;
  const lines = scaledLines(picture, columns, top, endOf(rows.at(-1)));
  const square = new Uint8ClampedArray(size * size * 3);
  rows.forEach(({ first, weights }, y) => {
    for (let at = 0; at < size * 3; at++) {
      const begin = (first - top) * size * 3 + at;
      square[y * size * 3 + at] = blend(lines, begin, size * 3, weights);
    }
  });
  return square;
}

// Where the square begins and ends, down and across, in pixels of the picture.
function spansOf(sides, size, resize) {
  const shorter = Math.min(...sides);
  return sides.map((side) => {
    const scaled = Math.floor((side * resize) / shorter + 0.5);
    const begin = Math.floor((scaled - size) / 2) * (side / scaled);
    return [begin, Math.min(begin + size * (side / scaled), side)];
  });
}

// Of which pixels each point of a side is made, and their weights.
function pointsOf(span, side, size) {
  // Pillow keeps these two in float32, and all else in float64.
  const [begin, end] = span.map(Math.fround);
  const scale = Math.fround(end - begin) / size;
  const reach = Math.max(scale, 1);
  return Array.from({ length: size }, (_, point) => {
    const center = begin + (point + 0.5) * scale;
    const first = Math.max(Math.trunc(center - reach + 0.5), 0);
    const last = Math.min(Math.trunc(center + reach + 0.5), side);
    const shares = Array.from({ length: last - first }, (_, i) =>
      Math.max(1 - Math.abs((first + i - center + 0.5) * (1 / reach)), 0),
    );
    const sum = shares.reduce((a, b) => a + b);
    const weights = shares.map((share) =>
      Math.trunc((share / sum) * 2 ** BITS + 0.5),
    );
    return { first, weights };
  });
}

// Rows `top` to `bottom` of the picture, scaled across only.
function scaledLines(picture, columns, top, bottom) {
  const left = columns[0].first;
  const width = endOf(columns.at(-1)) - left;
  const canvas = new OffscreenCanvas(width, STRIP);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  // Otherwise transparent strips would show those before them.
  context.globalCompositeOperation = "copy";
  const lines = new Uint8ClampedArray((bottom - top) * columns.length * 3);
  let at = 0;
  for (let begin = top; begin < bottom; begin += STRIP) {
    const height = Math.min(STRIP, bottom - begin);
    context.drawImage(picture, -left, -begin);
    const { data } = context.getImageData(0, 0, width, height);
    for (let y = 0; y < height; y++) {
      for (const { first, weights } of columns) {
        const pixel = (y * width + first - left) * 4;
        for (let channel = 0; channel < 3; channel++) {
          lines[at++] = blend(data, pixel + channel, 4, weights);
        }
      }
    }
  }
  return lines;
}

// A weighted sum of bytes that stand `step` apart.
function blend(bytes, begin, step, weights) {
  let sum = 2 ** (BITS - 1);
  for (let i = 0; i < weights.length; i++) {
    sum += bytes[begin + i * step] * weights[i];
  }
  return sum >> BITS;
}

function endOf({ first, weights }) {
  return first + weights.length;
}
