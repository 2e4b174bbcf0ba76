/**
 * The user's own program while it runs: curves, weights, gradients, what it prints, and what is found wrong in it.
 * All text that comes from the program stays text.
 */
import { node, say } from "./dom.js";
import { count, percent, short, signedBytes } from "./numbers.js";

const STATUS = { starting: "starting", running: "running", done: "it has ended", error: "it failed", stopped: "stopped" };
const MARK = { error: "✗", warning: "!", note: "·" };
const KINDS = 6; // of lines that a chart tells apart
const SMOOTH = 0.1;

/**
 * @param {HTMLElement} root where it goes
 * @param {Object} state the session's state
 * @param {{chart: Function, pictures: Object, ask: function(Object): Promise<Object>}} tools
 * @returns {{update: function(Object): void, findings: function(Object): void}} `update` takes any part of the state
 */
export function watchView(root, state, { chart, pictures, ask }) {
  let now = { ...state };
  const stop = node("button", { type: "button", text: "Stop", onclick: () => ask({ do: "stop" }) });
  const again = node("button", { type: "button", text: "Run again", onclick: () => ask({ do: "restart" }) });
  const facts = node("dl", { class: "now" });
  const how = node("p", { class: "how", role: "status" });
  const notes = node("ul", { class: "note" });
  const list = node("ol", { class: "findings" });
  const word = node("p", { class: "note", role: "status" });
  const printed = node("pre", { class: "printed-text", tabindex: "0", "aria-label": "the last of what it printed" });
  const sizes = node("table", { class: "sizes" });
  const weights = node("div", { class: "watched-weights" });
  const [lossCard, lossBox] = card("Loss of each backward pass");
  const [rightCard, rightBox] = card("What it prints, and what is so", "counted: the right ones among its predictions, by us");
  const [otherCard, otherBox] = card("Other numbers that it prints");
  const [gradientCard, gradientBox] = card("Size of the gradients");
  const [weightsCard] = card("Weights", "red above 0, blue below; one picture a unit", weights);
  const [sizesCard] = card("Parameters", "", node("div", { class: "scroll" }, sizes));
  const [printedCard] = card("What it prints", "", printed);
  const [findingsCard] = card("What is found", "", word, list);
  root.classList.add("watch");
  root.replaceChildren(
    node("p", { class: "note", text: state.about }),
    node("div", { class: "transport" }, stop, again, facts),
    how,
    notes,
    node(
      "div",
      { class: "watch-body" },
      node("div", {}, findingsCard, printedCard),
      node("div", {}, weightsCard, node("div", { class: "sight" }, lossCard, rightCard, gradientCard, otherCard), sizesCard),
    ),
  );
  const x = { x: "updates", formatX: count };
  const loss = chart(lossBox, { label: "Loss over updates; arrow keys read it", format: short, ...x });
  const right = chart(rightBox, { label: "Printed and counted accuracies over updates; arrow keys read them", format: (y, exact) => percent(y, exact ? undefined : 0), ...x });
  const other = chart(otherBox, { label: "Other printed numbers over updates; arrow keys read them", format: short, ...x });
  const gradients = chart(gradientBox, { label: "Size of the gradients over updates; arrow keys read it", format: short, ...x });
  const paint = weightPictures(weights, pictures);
  pictures.onTheme?.(() => paint(now.parameters ?? []));

  function update(told) {
    now = { ...now, ...told };
    if ("status" in told) status();
    if ("parameters" in told) {
      paint(now.parameters);
      table(sizes, now.parameters);
      weightsCard.hidden = !now.parameters.some((one) => one.picture);
      sizesCard.hidden = !now.parameters.length;
    }
    if ("losses" in told) curves();
    if ("findings" in told) findings(told);
  }

  function status() {
    const running = now.status === "running" || now.status === "starting";
    stop.disabled = !running;
    const items = { status: STATUS[now.status], seconds: now.seconds.toFixed(now.seconds < 100 ? 1 : 0), updates: count(now.updates) };
    facts.replaceChildren(
      ...Object.entries(items).map(([name, value]) => node("div", {}, node("dt", { text: name }), node("dd", { text: value }))),
    );
    say(how, now.how);
    how.hidden = !now.how;
    how.classList.toggle("failed", now.status === "error");
    notes.replaceChildren(...now.notes.map((text) => node("li", { text })));
    if (printed.textContent !== now.printed) {
      const below = printed.scrollTop + printed.clientHeight >= printed.scrollHeight - 4;
      printed.textContent = now.printed;
      if (below) printed.scrollTop = printed.scrollHeight;
    }
    printedCard.hidden = !now.printed;
    summary();
  }

  function curves() {
    loss.update({ series: [{ name: "a batch", kind: "batch", points: now.losses }, { name: "smoothed", kind: "train", points: smoothed(now.losses) }], lines: [], scale: wide(now.losses) ? "log" : "linear" });
    const shares = now.series.filter((one) => one.points.every(([, y]) => y >= 0 && y <= 1));
    const rest = now.series.filter((one) => !shares.includes(one));
    right.update({ series: shares.map(line), lines: [], scale: "linear" });
    other.update({ series: rest.map(line), lines: [], scale: rest.every((one) => wide(one.points)) ? "log" : "linear" });
    const known = now.measures.filter((one) => one.gradient?.length).slice(0, KINDS);
    gradients.update({ series: known.map((one, i) => line({ name: one.name, points: one.gradient }, i)), lines: [], scale: "log" });
    lossCard.hidden = !now.losses.length;
    rightCard.hidden = !shares.length;
    otherCard.hidden = !rest.length;
    gradientCard.hidden = !known.length;
  }

  function findings(told) {
    now = { ...now, ...told };
    list.replaceChildren(...now.findings.map(finding));
    summary();
  }

  function summary() {
    const over = now.status !== "running" && now.status !== "starting";
    const tried = `“${now.proof}” tries the fixes and measures what each is worth.`;
    if (now.fine != null) say(word, `${now.findings.length ? "" : "Nothing was found. "}${count(now.fine)} checks had something to look at and are fine. ${tried}`);
    else if (over) say(word, now.status === "error" ? "" : "The whole run is being judged …");
    else say(word, now.findings.length ? "So far; the run goes on." : "Nothing so far; the run is judged every few seconds, and again at its end.");
  }

  update(now);
  return { update, findings };
}

/** A figure with a heading, and the box for what it shows. */
function card(title, note = "", ...inside) {
  const box = node("div", {}, ...inside);
  const caption = node("figcaption", {}, node("h3", { text: title }), " ", node("span", { class: "note", text: note }));
  return [node("figure", { class: "card", hidden: title !== "What is found" }, caption, box), box];
}

function line(one, i) {
  return { name: one.name, kind: `s${i % KINDS}`, points: one.points };
}

/** A running mean that forgets. */
function smoothed(points) {
  let mean = null;
  return points.map(([x, y]) => [x, (mean = mean == null ? y : mean + SMOOTH * (y - mean))]);
}

/** Whether values are all above 0 and further apart than one scale of equal steps can show. */
function wide(points) {
  const values = points.map(([, y]) => y);
  return values.length > 1 && Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
}

function finding(one) {
  const place = one.line == null ? "" : one.cell == null ? `${one.file}:${one.line}` : `cell ${one.cell}, line ${one.line}`;
  const part = (name, text) => (text ? [node("dt", { text: name }), node("dd", { text })] : []);
  return node(
    "li",
    { class: `finding ${one.level}` },
    node("p", {}, node("b", { text: `${MARK[one.level]} ${one.level}` }), " ", node("code", { text: one.check }), " ", node("span", { class: "note", text: one.so_far ? `${place} · so far` : place })),
    node("dl", {}, ...part("saw", one.saw), ...part("so", one.so), ...part("instead", one.instead)),
  );
}

/** The pictures of each parameter that has some, painted in place. */
function weightPictures(box, { paintSigned }) {
  let made = "";
  return (parameters) => {
    const shown = parameters.filter((one) => one.picture);
    const key = JSON.stringify(shown.map((one) => [one.name, one.picture.shape, one.picture.shown]));
    if (key !== made) {
      made = key;
      box.replaceChildren(...shown.map(({ name, picture }) => group(name, picture)));
    }
    shown.forEach(({ picture }, i) => {
      const values = signedBytes(picture.data);
      const [h, w] = picture.shape;
      box.children[i].querySelectorAll("canvas").forEach((canvas, k) => paintSigned(canvas, values.subarray(k * h * w, (k + 1) * h * w), w, h, 127));
    });
  };
}

function group(name, { count: all, shown }) {
  const some = shown < all ? `${shown} of ${count(all)} units` : `${all} units`;
  const canvases = Array.from({ length: shown }, (_, i) => node("canvas", { role: "img", "aria-label": `${name}, unit ${i}` }));
  const cells = canvases.map((canvas, i) => node("div", { class: "weight" }, canvas, node("span", { text: String(i) })));
  return node("div", {}, node("p", { class: "note" }, node("code", { text: name }), ` ${some}`), node("div", { class: shown === 10 ? "weights ten" : "weights" }, ...cells));
}

function table(element, parameters) {
  const head = ["", "shape", "size", "gradient", "step", "step / size"].map((text) => node("th", { scope: "col", text }));
  const rows = parameters.map((one) => {
    const part = one.step != null && one.norm ? one.step / one.norm : null;
    const cells = [one.shape.join(" × "), short(one.norm), short(one.gradient), short(one.step), short(part)];
    return node("tr", {}, node("th", { scope: "row" }, node("code", { text: one.name })), ...cells.map((text) => node("td", { text })));
  });
  element.replaceChildren(node("thead", {}, node("tr", {}, ...head)), node("tbody", {}, ...rows));
}
