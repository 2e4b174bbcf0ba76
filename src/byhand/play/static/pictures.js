/**
 * Small arrays as pictures on a canvas, a canvas pixel for each value; the style sheet enlarges them without blurring.
 */

const DARK = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
const FOR = [178, 24, 43]; // the red and the blue of the report's pictures, which colour-blind people tell apart
const AGAINST = [33, 102, 172];
const FOR_IN_THE_DARK = [244, 118, 111];
const AGAINST_IN_THE_DARK = [111, 177, 240];

/** Calls back whenever the reader changes between light and dark: what was painted by `paintSigned` is to be painted anew. */
export function onTheme(callback) {
  DARK?.addEventListener("change", callback);
}

/**
 * Grey levels as they are.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} levels h × w
 */
export function paintGrey(canvas, levels, w, h) {
  paint(canvas, w, h, (i) => [levels[i], levels[i], levels[i]]);
}

/**
 * Numbers of both signs: red for what is above 0, blue below, the page's own ground at 0.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values h × w
 * @param {number} scale the number, above 0, that has the fullest colour
 */
export function paintSigned(canvas, values, w, h, scale) {
  const zero = DARK?.matches ? [18, 21, 25] : [255, 255, 255];
  const [red, blue] = DARK?.matches ? [FOR_IN_THE_DARK, AGAINST_IN_THE_DARK] : [FOR, AGAINST];
  paint(canvas, w, h, (i) => {
    const way = Math.max(-1, Math.min(1, values[i] / (scale || 1))) || 0;
    const full = way > 0 ? red : blue;
    return zero.map((level, k) => level + (full[k] - level) * Math.abs(way));
  });
}

/**
 * Gives a picture of W × H values a size on the page of a whole number of pixels a value, about `length` pixels long.
 * @param {HTMLCanvasElement} canvas
 */
export function sizePicture(canvas, W, H, length) {
  const zoom = Math.max(1, Math.floor(length / Math.max(W, H)));
  canvas.width = W;
  canvas.height = H;
  canvas.style.width = `${W * zoom}px`;
  canvas.style.aspectRatio = `${W} / ${H}`;
}

function paint(canvas, w, h, colour) {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(w, h);
  for (let i = 0; i < w * h; i++) picture.data.set([...colour(i), 255], 4 * i);
  context.putImageData(picture, 0, 0);
}
