/**
 * What a model could see of a drawing: the whole pad made small, or the ink alone, as MNIST was made.
 * The second is byhand.data.drawing in Python, step by step, from the crop on: on a pad it is known what is ink.
 */

import { resample, roundHalfEven } from "./resample.js";

const LEAST = 20; // grey levels of the darkest ink, below which there is nothing to see
const FAINT = 0.05; // ink below this does not make the box larger
const THIN = 1.2; // pixels in 28: 99 in 100 of MNIST's digits have wider strokes

/**
 * The whole pad, each pixel the mean of the ink on its area.
 * @param {Float32Array} ink h × w, 0 to 1; w and h are multiples of W and H
 * @returns {Uint8Array} H × W
 */
export function rawPicture(ink, w, h, W, H) {
  const [wide, high] = [w / W, h / H];
  const sums = new Float64Array(W * H);
  for (let row = 0; row < h; row++) {
    const start = Math.floor(row / high) * W;
    for (let i = 0; i < W; i++) {
      for (let k = 0; k < wide; k++) sums[start + i] += ink[row * w + i * wide + k];
    }
  }
  return Uint8Array.from(sums, (sum) => roundHalfEven((255 * sum) / (wide * high)));
}

/**
 * The ink fitted into a box and centred by its mass: what `byhand.as_mnist` makes of the same drawing.
 * @param {Float32Array} ink h × w, 0 to 1
 * @param {number} side pixels of a side of the result
 * @param {number} box pixels of the ink's longer side in it
 * @returns {Uint8Array|null} side × side; null if the pad is blank
 */
export function centredPicture(ink, w, h, side, box) {
  const values = new Float64Array(w * h); // loops here and below: `from` and `reduce` take several times as long
  let peak = 0;
  for (let i = 0; i < ink.length; i++) {
    if (ink[i] === 0) continue;
    values[i] = roundHalfEven(Math.fround(255 * ink[i]));
    if (values[i] > peak) peak = values[i];
  }
  if (peak < LEAST) return null;
  for (let i = 0; i < values.length; i++) values[i] /= peak;
  const full = { values, w, h };
  return place(fit(thicken(crop(full), box), box), side);
}

function crop({ values, w, h }) {
  let [top, bottom, left, right] = [h, -1, w, -1];
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      if (values[row * w + column] <= FAINT) continue;
      if (row < top) top = row;
      if (column < left) left = column;
      if (column > right) right = column;
      bottom = row;
    }
  }
  return part({ values, w, h }, left, top, right - left + 1, bottom - top + 1);
}

/** W × H pixels of a picture from (left, top) on; outside of it there is no ink. */
function part({ values, w, h }, left, top, W, H) {
  const taken = new Float64Array(W * H);
  for (let row = Math.max(0, -top); row < Math.min(H, h - top); row++) {
    for (let column = Math.max(0, -left); column < Math.min(W, w - left); column++) {
      taken[row * W + column] = values[(row + top) * w + column + left];
    }
  }
  return { values: taken, w: W, h: H };
}

/** Strokes that would be thinner than MNIST's in the box, made wider: 2 · area / perimeter, the grid's 4/π taken off. */
function thicken(ink, box) {
  const { w, h } = ink;
  const framed = part(ink, -1, -1, w + 2, h + 2); // no ink around it, so that its edge too is crossed
  const mask = new Uint8Array(framed.values.length);
  for (let i = 0; i < mask.length; i++) mask[i] = framed.values[i] > 0.5 ? 1 : 0;
  let area = 0;
  let crossings = 0;
  for (let i = framed.w; i < mask.length; i++) {
    area += mask[i];
    crossings += (mask[i] ^ mask[i - 1]) + (mask[i] ^ mask[i - framed.w]);
  }
  const scale = box / Math.max(w, h); // box pixels a pixel
  const width = (2 * area) / Math.max(1, (crossings * Math.PI) / 4);
  if (scale >= 1 || width * scale >= (THIN * box) / 20) return ink;
  const grow = Math.max(1, roundHalfEven(((2 * box) / 20 / scale - width) / 2));
  const padded = part(ink, -grow, -grow, w + 2 * grow, h + 2 * grow);
  const levels = padded.values.map((value) => roundHalfEven(255 * value));
  const across = largest(levels, padded.w, padded.h, 1, padded.w, grow);
  const wide = largest(across, padded.h, padded.w, padded.w, 1, grow);
  return { ...padded, values: wide.map((level) => level / 255) };
}

/** The largest of each value and its `reach` neighbours on both sides, along `lines` lines of `length` values. */
function largest(values, length, lines, step, between, reach) {
  const found = new Float64Array(values.length);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < length; i++) {
      let most = 0;
      const end = Math.min(length - 1, i + reach);
      for (let j = Math.max(0, i - reach); j <= end; j++) most = Math.max(most, values[line * between + j * step]);
      found[line * between + i * step] = most;
    }
  }
  return found;
}

function fit({ values, w, h }, box) {
  const scale = box / Math.max(w, h);
  const [W, H] = [w, h].map((length) => Math.max(1, roundHalfEven(length * scale)));
  const fitted = resample(Float32Array.from(values), w, h, W, H, scale <= 1 ? "box" : "bilinear");
  const most = Math.max(1e-9, ...fitted); // a thin stroke's mean is low; MNIST's ink always reaches 254 or 255
  return { values: Float64Array.from(fitted, (value) => value / most), w: W, h: H };
}

function place({ values, w, h }, side) {
  let [mass, down, right] = [0, 0, 0];
  values.forEach((value, i) => {
    mass += value;
    down += value * Math.floor(i / w);
    right += value * (i % w);
  });
  const start = (centre, length) => Math.min(Math.max(Math.ceil(side / 2 - 0.5 - centre), 0), side - length);
  const [row, column] = [start(down / mass, h), start(right / mass, w)];
  const field = new Uint8Array(side * side);
  values.forEach((value, i) => {
    field[(row + Math.floor(i / w)) * side + column + (i % w)] = roundHalfEven(255 * value);
  });
  return field;
}
