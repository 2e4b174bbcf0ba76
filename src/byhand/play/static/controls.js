/**
 * What the training learns by: the form, shown as the server has it, and what a person changes in it.
 */
import { byId, node } from "./dom.js";
import { short } from "./numbers.js";

const BATCHES = [1, 4, 16, 32, 64, 128, 256, 512, 1024, 4096];
const NUMBERS = ["batch_size", "weight_decay", "stop_after", "epsilon", "speed"]; // selects of numbers

/**
 * @param {function(Object): void} change called with the controls that a person has changed
 * @returns {{show: function(Object): void}} `show(state)`
 */
export function controls(change) {
  byId("batch_size").append(...BATCHES.map((size) => node("option", { value: size, text: size })));

  for (const name of NUMBERS) byId(name).addEventListener("change", () => change({ [name]: Number(byId(name).value) }));
  for (const name of ["shuffle", "scaled"]) byId(name).addEventListener("change", () => change({ [name]: byId(name).checked }));
  byId("broadcast").addEventListener("change", () => change({ metric: byId("broadcast").checked ? "broadcast" : "rows" }));
  byId("momentum").addEventListener("input", () => change({ momentum: Number(byId("momentum").value) }));
  byId("lr-slider").addEventListener("input", () => change({ lr: Number((10 ** byId("lr-slider").value).toPrecision(3)) }));
  byId("lr").addEventListener("change", () => change({ lr: numberIn("lr") }));
  byId("lr-auto").addEventListener("click", () => change({ lr: null }));
  byId("hidden").addEventListener("change", () => change({ hidden: hiddenIn() }));
  const init = () => change({ init: byId("init").value === "normal" ? `normal:${numberIn("std")}` : byId("init").value });
  byId("init").addEventListener("change", init);
  byId("std").addEventListener("change", init);
  byId("controls").addEventListener("submit", (event) => event.preventDefault());

  return { show };
}

function show(state) {
  const now = state.controls;
  for (const name of NUMBERS) select(byId(name), now[name]);
  for (const name of ["shuffle", "scaled"]) byId(name).checked = now[name];
  byId("broadcast").checked = now.metric === "broadcast";
  set(byId("momentum"), now.momentum);
  document.querySelector("output[for=momentum]").textContent = now.momentum;
  set(byId("hidden"), now.hidden.length ? now.hidden.join(",") : "none");
  const [kind, std] = now.init.split(":");
  set(byId("init"), kind);
  byId("std-label").hidden = kind !== "normal";
  if (std !== undefined) set(byId("std"), std);
  byId("init").querySelector("[value=zeros]").disabled = now.hidden.length > 0;
  showRate(state);
}

function showRate(state) {
  const lr = state.lr ?? state.controls.lr ?? state.finder?.lr;
  const slider = byId("lr-slider");
  if (lr > 0) set(slider, Math.log10(lr));
  set(byId("lr"), lr == null ? "" : Number(lr.toPrecision(3)));
  const band = byId("lr-range").firstElementChild;
  band.hidden = !state.finder;
  if (state.finder) {
    const place = (rate) => (100 * (Math.log10(rate) - Number(slider.min))) / (Number(slider.max) - Number(slider.min));
    const [low, high] = [place(state.finder.low), place(state.finder.high)];
    band.style.left = `${low}%`;
    band.style.width = `${Math.max(1, high - low)}%`;
  }
  const range = state.finder && `the finder says ${short(state.finder.lr)} (${short(state.finder.low)} to ${short(state.finder.high)})`;
  const states = { finding: "the finder is at work …", found: range };
  byId("lr-note").textContent = range ?? states[state.finder_state] ?? state.finder_state ?? "";
  byId("lr-auto").disabled = state.controls.lr == null;
}

/** The units of each hidden layer that the field says. */
function hiddenIn() {
  const text = byId("hidden").value.trim();
  return ["", "none", "0"].includes(text) ? [] : text.split(/[\s,]+/).map(Number);
}

function numberIn(id) {
  return Number(byId(id).value.trim().replace(",", "."));
}

/** Show a value unless a person is at it. */
function set(field, value) {
  if (document.activeElement !== field || field.type === "range" || field.tagName === "SELECT") field.value = String(value);
}

/** Choose an option of a select; a value that it lacks becomes one. */
function select(field, value) {
  const known = [...field.options].find((option) => Number(option.value) === Number(value));
  if (!known) field.append(node("option", { value, text: short(value) }));
  field.value = known ? known.value : String(value);
}
