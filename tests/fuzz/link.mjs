/** Addresses of the page, broken: what is read of each has the form that the page takes, and is written as it is read. */
import { readFileSync } from "node:fs";

const [, , link, seed, count] = process.argv;
const { fromHash, toHash } = await import(`data:text/javascript;base64,${readFileSync(link).toString("base64")}`);
let state = Number(seed) || 1;
const random = (below) => (state = (state * 48271) % 2147483647) % below;
const like = { hidden: [30], lr: null, batch_size: 256, init: "zeros", shuffle: true, momentum: 0, seed: 42, metric: "rows" };
const sounds = [
  toHash({ controls: like, strokes: [[[0.1, 0.2], [0.5, 0.9]], [[1, 0]]], pen: 0.09, why: 3 }),
  toHash({ controls: { ...like, hidden: [], lr: 0.5, shuffle: false }, strokes: [], why: 0 }),
  "",
];
const words = ["ink=", "pen=", "why=", "hidden=", "lr=auto", "NaN", "Infinity", "1e999", "%", "%ff", "%u0041", "&", "=", "__proto__=1",
  "constructor=", ".", "....", "zzzz", "-", "\u0000", "\ud800", "<script>", "toString=1", "lr=", "null", "x".repeat(5000), "0000".repeat(5000)];

function broken() {
  let text = sounds[random(sounds.length)];
  for (let k = 1 + random(4); k > 0; k--) {
    const at = random(text.length + 1), end = Math.min(text.length, at + 1 + random(16));
    const kind = random(6);
    if (kind === 0) text = text.slice(0, at) + String.fromCharCode(random(300)) + text.slice(at + 1);
    else if (kind === 1) text = text.slice(0, at) + text.slice(end);
    else if (kind === 2) text = text.slice(0, at) + words[random(words.length)] + text.slice(at);
    else if (kind === 3) text = text.slice(0, at);
    else if (kind === 4) text = text.slice(0, end) + text.slice(at);
    else text = (random(2) ? "#" : "") + text.slice(at) + text.slice(0, at);
  }
  return text;
}

function check(hash) {
  const read = fromHash(hash, like);
  const names = Object.keys(read.controls);
  if (Object.getPrototypeOf(read.controls) !== Object.prototype) throw new Error("another prototype");
  if (!names.every((name) => Object.hasOwn(like, name))) throw new Error(`a control of another name: ${names}`);
  if (!read.strokes.every((points) => points.every((p) => p.length === 2 && p.every((x) => x >= 0 && x <= 1)))) throw new Error("ink outside the pad");
  for (const name of ["pen", "why"]) if (read[name] !== null && !Number.isFinite(read[name])) throw new Error(name);
  const again = fromHash(toHash(read), like);
  if (JSON.stringify(again.strokes) !== JSON.stringify(read.strokes.filter((points) => points.length))) throw new Error("other ink");
}

for (let k = 0; k < Number(count); k++) {
  const hash = broken();
  try {
    check(hash);
  } catch (error) {
    console.log(JSON.stringify([hash.slice(0, 500), String(error)]));
    process.exit(1);
  }
}
console.log(`${count} borne`);
