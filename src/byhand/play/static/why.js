/**
 * Why the model says so: which strokes speak for a class, and which against it.
 */
import { node } from "./dom.js";
import { onTheme, paintSigned, sizePicture } from "./pictures.js";

const LENGTH = 170; // pixels of the picture's longer side, at most

let panels = 0;

/**
 * @param {string[]} classes
 * @param {[number, number]} shape rows and columns of a picture
 * @param {function(): void} onchoice another class has been chosen
 * @returns the panel's `element`; `choice`, a class's number or null for the likeliest, which can be set; and
 *   `show(network, pixels, label)`, where label is the likeliest class's number; pixels are null if nothing is drawn
 */
export function whyPanel(classes, [H, W], onchoice) {
  const group = `why-${++panels}`;
  const radio = (value, text) => {
    const input = node("input", { type: "radio", name: group, value, onchange: onchoice });
    return node("label", { title: text }, input, node("bdi", { text }));
  };
  const choices = node("fieldset", { class: "choices" }, node("legend", { class: "unseen", text: "Explain the class" }));
  choices.append(radio("", "likeliest"), ...classes.map((name, i) => radio(i, name)));
  const radios = [...choices.querySelectorAll("input")];
  radios[0].checked = true;

  const canvas = node("canvas", { class: "picture", role: "img" });
  sizePicture(canvas, W, H, LENGTH);
  const [before, name, after] = [node("span"), node("b"), node("span")];
  const sums = Object.fromEntries(["for", "against", "bias", "score"].map((key) => [key, node("dd", { class: key })]));
  const terms = { for: "for it", against: "against it", bias: "bias", score: "score" };
  const list = node("dl", { class: "sums" });
  for (const [key, text] of Object.entries(terms)) list.append(node("div", {}, node("dt", { text }), sums[key]));
  const head = node("h3", { text: "Why?" });
  const element = node("section", { class: "why" }, head, choices, node("p", { class: "note" }, before, name, after));
  element.append(node("div", { class: "reasons" }, canvas, list));

  let last = [null, null, 0];

  function show(network, pixels, likeliest) {
    last = [network, pixels, likeliest];
    const label = panel.choice ?? likeliest;
    const known = network && pixels;
    const linear = !network || network.sizes.length === 2;
    const { values, bias, score } = known ? network.why(pixels, label) : { values: new Float64Array(H * W), bias: NaN, score: NaN };
    const sizes = values.map(Math.abs);
    paintSigned(canvas, values, W, H, sizes.reduce((a, b) => Math.max(a, b), 0));
    const positive = values.reduce((sum, value) => sum + Math.max(0, value), 0);
    const negative = values.reduce((sum, value) => sum + Math.min(0, value), 0);
    const told = { for: positive, against: negative, bias, score };
    for (const [key, value] of Object.entries(told)) sums[key].textContent = known ? signed(value, key !== "score") : "–";
    name.textContent = known ? classes[label] : "";
    before.textContent = linear ? "Digit × weights: what each pixel adds to the score of " : "Gradient × input: what each pixel, by the units that are on, adds to the score of ";
    if (!known) before.textContent = "Draw, and see here which strokes speak for a class, in red, and against it, in blue.";
    after.textContent = known ? ". Red speaks for it, blue against it." : "";
    const heard = `For ${classes[label]} speak ${signed(positive)}, against it ${signed(negative)}`;
    canvas.setAttribute("aria-label", known ? heard : "Nothing drawn yet");
  }

  const panel = {
    element,
    show,
    get choice() {
      const { value } = radios.find((one) => one.checked);
      return value === "" ? null : Number(value);
    },
    set choice(label) {
      (radios[Number.isInteger(label) ? label + 1 : 0] ?? radios[0]).checked = true;
    },
  };
  onTheme(() => show(...last));
  return panel;
}

function signed(value, plus = true) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) ? "−" : plus ? "+" : ""}${text}`;
}
