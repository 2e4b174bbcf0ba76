/**
 * Draw, and see what a model makes of it. Needs no server: the page has it, and the exported file is little else.
 */
import { asShare, probabilityBars } from "./bars.js";
import { node } from "./dom.js";
import { centredPicture, rawPicture } from "./drawing.js";
import { KEYS } from "./keys.js";
import { PEN, makePad } from "./pad.js";
import { paintGrey, sizePicture } from "./pictures.js";
import { whyPanel } from "./why.js";

const LENGTH_OF_A_PICTURE = 140; // pixels of the longer side, at most
const QUIET = 700; // milliseconds without a change, after which a screen reader is told

/**
 * @param {HTMLElement} root is filled
 * @param {object} about
 * @param {string[]} about.classes
 * @param {[number, number]} about.shape rows and columns of an image
 * @param {number|null} about.inkBox pixels of the ink's longer side in the data's images; null: do not centre
 * @param {object|null} about.network from `network`; or later, by `setNetwork`
 * @returns the view: `pad`; `setNetwork(network)`; `showImage({raw, centred})`, Uint8Array each, shown until the next
 *   stroke; `get()` and `set({strokes, pen, why})`, all that a person has done; `onchange`, called after it has changed
 */
export function drawView(root, { classes, shape, inkBox, network = null }) {
  const [H, W] = shape;
  const digits = classes.every((name) => /^\d$/.test(name));
  const ground = node("div", { class: "surface" });
  const pad = makePad(ground, { shape, hint: digits ? "Draw a digit here" : "Draw here" });
  const button = (text, act) => node("button", { type: "button", text, onclick: act });
  const undo = button("Undo", pad.undo);
  const redo = button("Redo", pad.redo);
  const clear = button("Clear", pad.clear);
  const pen = node("input", { type: "range", min: PEN.least, max: PEN.most, step: 0.005, value: pad.pen });
  pen.addEventListener("input", () => (pad.pen = Number(pen.value)));
  const tools = node("div", { class: "tools" }, undo, redo, clear, node("label", { class: "pen" }, "Pen ", pen));
  const keys = node("details", { class: "note keys" }, node("summary", { text: "By keyboard" }), node("p", { text: KEYS }));

  const answer = node("bdi", { class: "answer" });
  const sure = node("span");
  const bars = probabilityBars(classes);
  const legend = node("p", { class: "note legend" }, "bar: centred · ", node("span", { class: "tick" }), " tick: as drawn");
  const told = node("p", { class: "unseen", role: "status" });
  const says = node("section", { class: "says" }, node("p", { class: "verdict" }, answer, sure), bars.element);

  const views = { raw: view("as drawn"), centred: view(`centred, ${inkBox} in ${W}`) };
  const sees = node("section", { class: "sees" }, node("h3", { text: "What the model sees" }), views.raw.figure);
  if (inkBox !== null) {
    says.append(legend);
    sees.append(views.centred.figure);
  }
  const why = whyPanel(classes, shape, () => (update(), self.onchange?.()));
  root.classList.add("draw");
  root.append(node("div", { class: "parts" }, node("div", { class: "board" }, ground, tools), says, sees, why.element, keys), told);

  let dropped = null; // pictures from elsewhere, shown in place of the pad's
  let isNew = false; // their coming empties the pad, which is not a change that ends them
  let telling = 0;

  function view(title) {
    const canvas = node("canvas", { class: "picture", role: "img", "aria-label": `The picture ${title}` });
    sizePicture(canvas, W, H, LENGTH_OF_A_PICTURE);
    const caption = node("bdi");
    const figure = node("figure", {}, canvas, node("figcaption", {}, node("small", { text: title }), caption));
    return { canvas, caption, figure };
  }

  function pictures() {
    if (dropped) return dropped;
    const { ink, inkWidth, inkHeight } = pad;
    if (!pad.strokes.length) return { raw: null, centred: null };
    const raw = rawPicture(ink, inkWidth, inkHeight, W, H);
    return { raw, centred: inkBox === null ? null : centredPicture(ink, inkWidth, inkHeight, W, inkBox) };
  }

  function update() {
    const seen = pictures();
    const said = {};
    for (const key of ["raw", "centred"]) {
      paintGrey(views[key].canvas, seen[key] ?? new Uint8Array(H * W), W, H);
      said[key] = seen[key] && network ? network.predict(seen[key]) : null;
      views[key].caption.textContent = said[key] ? sentence(said[key]) : "–";
    }
    const best = said.centred ?? said.raw;
    bars.show(best?.probs ?? null, said.centred && said.raw ? said.raw.probs : null);
    answer.textContent = best ? classes[best.label] : "?";
    sure.textContent = best ? asShare(best.probs[best.label]) : seen.raw ? "no model yet" : "nothing drawn yet";
    why.show(network, seen.centred ?? seen.raw, best?.label ?? 0);
    undo.disabled = !pad.canUndo;
    redo.disabled = !pad.canRedo;
    clear.disabled = !pad.strokes.length && !dropped;
    tellLater(best ? `It reads ${sentence(best)}` : "");
  }

  function sentence({ label, probs }) {
    return `${classes[label]} · ${asShare(probs[label])}`;
  }

  function tellLater(text) {
    clearTimeout(telling);
    telling = setTimeout(() => {
      if (!pad.drawing && told.textContent !== text) told.textContent = text;
    }, QUIET);
  }

  pad.onchange = () => {
    if (!isNew) dropped = null;
    isNew = false;
    pen.value = pad.pen;
    update();
    self.onchange?.();
  };
  const self = {
    pad,
    onchange: null,
    setNetwork(other) {
      network = other;
      update();
    },
    showImage({ raw, centred = null }) {
      pad.clear();
      isNew = true;
      dropped = { raw, centred };
      update();
    },
    get() {
      return { strokes: pad.strokes, pen: pad.pen, why: why.choice };
    },
    set({ strokes, pen: wide, why: label }) {
      if (strokes?.length) pad.strokes = strokes;
      if (wide != null) pad.pen = wide;
      why.choice = label;
      update();
    },
  };
  update();
  return self;
}
