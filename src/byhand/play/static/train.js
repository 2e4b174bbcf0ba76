/**
 * Training, live: play, pause, step; the curves, the weights, what it gets wrong.
 */
import { lineChart } from "./chart.js";
import { controls } from "./controls.js";
import { byId, node, say } from "./dom.js";
import { count, percent, short } from "./numbers.js";
import { confusionTable, weightPictures, worstMistakes } from "./pieces.js";

const FIXED = "-fixed"; // how the id of a fault's remedy ends

/**
 * @param {function(Object): Promise<Object>} ask sends a command and tells a person if it fails
 * @returns {{state: function(Object): void, frame: function(Object): void}}
 */
export function trainView(ask) {
  let now = null; // the last state
  let points = [];
  const form = controls((changed) => ask({ do: "set", controls: changed }));
  const weights = weightPictures(byId("weights-grid"), byId("weights-note"));
  const confusion = confusionTable(byId("confusion"), byId("confusion-word"));
  const worst = worstMistakes(byId("worst"));
  const epochs = (x) => (x < 10 ? Number(x.toFixed(2)) : Number(x.toFixed(1)));
  const loss = lineChart(byId("loss-chart"), { label: "Loss over epochs; arrow keys read it", x: "epoch", format: (y) => short(y), formatX: epochs, leastX: 0.1 });
  const accuracy = lineChart(byId("accuracy-chart"), { label: "Accuracy over epochs; arrow keys read it", x: "epoch", format: (y, exact) => percent(y, exact ? undefined : 0), formatX: epochs, leastX: 0.1 });

  byId("play").addEventListener("click", toggle);
  byId("step").addEventListener("click", () => ask({ do: "step" }));
  byId("reset").addEventListener("click", () => ask({ do: "reset" }));
  document.addEventListener("keydown", (event) => {
    if (event.altKey && event.code === "KeyP") toggle();
  });

  function toggle() {
    if (now) ask({ do: now.playing ? "pause" : "play" });
  }

  function curves() {
    const line = (name, kind, key) => ({ name, kind, points: points.filter((p) => p[key] != null).map((p) => [p.epoch, p[key]]) });
    const chanceLoss = Math.log(now.data.classes.length);
    const losses = points.flatMap((p) => [p.train_loss, p.valid_loss]).filter((y) => y != null);
    loss.update({
      series: [line("training", "train", "train_loss"), line("validation", "valid", "valid_loss")],
      lines: [{ y: chanceLoss, label: `ln ${now.data.classes.length}: knowing nothing` }],
      scale: Math.max(...losses, 0) > 3 * chanceLoss ? "log" : "linear",
    });
    const lines = [];
    if (now.chance != null) lines.push({ y: now.chance, label: `chance ${percent(now.chance)}` });
    if (now.ceiling) lines.push({ y: now.ceiling.accuracy, label: `linear ceiling ${percent(now.ceiling.accuracy)} (test part)` });
    const printed = points.some((p) => p.printed_accuracy != null) ? [line("as the program prints it", "printed", "printed_accuracy")] : [];
    accuracy.update({
      series: [line("training", "train", "train_accuracy"), line("validation", "valid", "valid_accuracy"), ...printed],
      lines,
      scale: "error",
    });
  }

  function where(one) {
    say(byId("now-epoch"), epochs(one.epoch + (one.part ?? 0)));
    say(byId("now-step"), count(one.step));
  }

  function state(told) {
    const anew = now == null || told.run !== now.run;
    now = told;
    say(byId("play"), told.playing ? "Pause" : "Play");
    byId("play").setAttribute("aria-pressed", String(told.playing));
    byId("step").disabled = told.playing;
    byId("untrainable").hidden = told.trainable === true;
    if (told.trainable !== true) say(byId("untrainable"), told.trainable);
    byId("train-view").hidden = told.trainable !== true;
    if (told.trainable !== true) return;
    form.show(told);
    stories(told, ask);
    points = told.history;
    if (anew) {
      for (const name of ["now-rate", "now-loss"]) say(byId(name), "–");
    }
    const states = { finding: "The linear ceiling is being found …", found: "" };
    say(byId("ceiling-note"), states[told.ceiling_state] ?? `No linear ceiling: ${told.ceiling_state}`);
    where(told);
    if (told.frame && (anew || !told.playing)) frame({ ...told.frame, point: null });
    curves();
  }

  function frame(told) {
    if (!now || told.run !== now.run || now.trainable !== true) return;
    where(told);
    say(byId("now-loss"), told.loss == null ? "–" : short(told.loss));
    say(byId("now-rate"), count(told.images_per_second));
    weights(told.pictures, now.data.classes);
    if (told.confusion) confusion(told.confusion, now.data.classes);
    if (told.worst) worst(told.worst, now.data.classes);
    if (told.point) {
      points.push(told.point);
      curves();
    }
  }

  return { state, frame };
}

/** Both seeds' programs as cards: the fault to be replayed, and beside it the fix. What is set now is marked. */
function stories(state, ask) {
  const list = byId("story-list");
  const faults = state.presets.filter((one) => !one.id.endsWith(FIXED));
  const fixOf = (fault) => state.presets.find((one) => one.id === fault.id + FIXED);
  if (!list.children.length) {
    for (const fault of faults) {
      const pair = [fault, fixOf(fault)].filter(Boolean);
      const buttons = pair.map((one, i) => {
        const words = i ? "Put it right" : "Replay it";
        return node("button", { type: "button", "data-id": one.id, text: words, "aria-label": `${words}: ${one.title}`, onclick: () => ask({ do: "preset", id: one.id }) });
      });
      const text = node("p");
      list.append(node("article", { class: "story" }, node("h3", { text: fault.title }), text, node("div", {}, ...buttons)));
    }
  }
  for (const [i, fault] of faults.entries()) {
    const card = list.children[i];
    const [chosen, fixed] = [isSet(state, fault), fixOf(fault) && isSet(state, fixOf(fault))];
    card.classList.toggle("current", chosen || fixed);
    say(card.querySelector("p"), (fixed ? fixOf(fault) : fault).text);
    card.querySelectorAll("button").forEach((button, j) => button.setAttribute("aria-pressed", String(j ? fixed : chosen)));
  }
}

/** Whether a preset's controls are those in use; the speed is nobody's. */
function isSet(state, preset) {
  return Object.entries(preset.controls).every(([name, value]) => name === "speed" || JSON.stringify(state.controls[name]) === JSON.stringify(value));
}
