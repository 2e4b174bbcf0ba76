/**
 * Pictures made smaller or larger as Pillow does it, to the bit.
 */

const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
};

/** A half goes to the even neighbour, as in Python and NumPy. */
export function roundHalfEven(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** For each of `to` pixels: the first of the `from` that it is made of, and the weight of each. */
function footprints(from, to, filter) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let j = first; j < end; j++) weights.push(filter.at((j - centre + 0.5) * (1 / stretch)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => (sum ? weight / sum : 0)) };
  });
}

/**
 * `Image.resize` of a Pillow image of mode F.
 * @param {Float32Array} values h × w
 * @param {"box"|"bilinear"} method
 * @returns {Float32Array} H × W
 */
export function resample(values, w, h, W, H, method) {
  const across = footprints(w, W, FILTERS[method]);
  const down = footprints(h, H, FILTERS[method]);
  const isTall = h > 2 * w && H < h; // there Pillow 13 begins with the columns, and the last bit depends on it
  if (isTall) return alongRows(alongColumns(values, w, down), w, across);
  return alongColumns(alongRows(values, w, across), W, down);
}

/** Rows of w values made as long as there are footprints; the result is of 32 bits, as Pillow's is between its passes. */
function alongRows(values, w, footprints) {
  const h = values.length / w;
  const made = new Float32Array(h * footprints.length);
  for (let row = 0; row < h; row++) {
    footprints.forEach(({ first, weights }, column) => {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += values[row * w + first + k] * weights[k];
      made[row * footprints.length + column] = sum;
    });
  }
  return made;
}

/** The w columns made as long as there are footprints. */
function alongColumns(values, w, footprints) {
  const made = new Float32Array(w * footprints.length);
  footprints.forEach(({ first, weights }, row) => {
    for (let column = 0; column < w; column++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += values[(first + k) * w + column] * weights[k];
      made[row * w + column] = sum;
    }
  });
  return made;
}
