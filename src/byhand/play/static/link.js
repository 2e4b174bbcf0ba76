/**
 * The whole state of the page in its address: what is chosen, and what is drawn. A link that is copied shows the same.
 */

/**
 * @param {{controls?: Object, strokes?: number[][][], pen?: number, why?: number|null}} state coordinates from 0 to 1
 * @returns {string} for `location.hash`, without #
 */
export function toHash({ controls = {}, strokes = [], pen, why }) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(controls)) {
    words.set(name, value === null ? "auto" : Array.isArray(value) ? value.join("-") || "none" : String(value));
  }
  if (strokes.length) words.set("ink", strokes.map((points) => points.map(([x, y]) => pair(x) + pair(y)).join("")).join("."));
  if (pen != null) words.set("pen", Number(pen.toPrecision(3)));
  if (why != null) words.set("why", why);
  return words.toString();
}

/**
 * What `toHash` wrote; whatever is no such thing is left out.
 * @param {string} hash
 * @param {Object} like the controls as they are, whose types say what a value may be
 */
export function fromHash(hash, like = {}) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const controls = {};
  for (const [name, was] of Object.entries(like)) {
    if (!words.has(name)) continue;
    const word = words.get(name);
    if (name === "lr" && word === "auto") controls[name] = null;
    else if (Array.isArray(was)) controls[name] = word === "none" ? [] : word.split("-").map(Number);
    else if (typeof was === "boolean") controls[name] = word === "true";
    else if (typeof was === "number" || name === "lr") controls[name] = Number(word);
    else controls[name] = word;
  }
  const ink = words.get("ink") ?? "";
  const strokes = /^[0-9a-z.]*$/.test(ink) ? ink.split(".").filter(Boolean).map(points) : [];
  const number = (name) => (words.has(name) && Number.isFinite(Number(words.get(name))) ? Number(words.get(name)) : null);
  return { controls, strokes, pen: number("pen"), why: number("why") };
}

const STEPS = 36 ** 2 - 1; // a coordinate is two digits of base 36: finer than a pixel of any pad

function pair(value) {
  return Math.round(Math.min(1, Math.max(0, value)) * STEPS).toString(36).padStart(2, "0");
}

function points(text) {
  return (text.match(/.{4}/g) ?? []).map((four) => [0, 2].map((at) => parseInt(four.slice(at, at + 2), 36) / STEPS));
}
