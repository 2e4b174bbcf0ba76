/**
 * A line chart: values under the pointer or the arrow keys in words, levels as dashed lines, three scales.
 * Written here because the kept libraries are not shipped in any Python package, and a line chart is this little.
 */
import { node, svgNode } from "./dom.js";

const HEIGHT = 220;
const EDGE = { left: 52, right: 12, top: 10, bottom: 26 };
const ERRORS = [1, 0.7, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** From a value to a height on [0, 1]. `error`: accuracies, as far apart as the factors between their errors. */
const scales = {
  linear: (value) => value,
  log: (value) => Math.log10(Math.max(value, 1e-6)),
  error: (value) => -Math.log10(Math.max(1 - value, 5e-4)),
};

/**
 * @param {HTMLElement} element where it goes
 * @param {{label: string, x: string, format: function(number): string, formatX?: function(number): string}} about
 * @returns {{update: function({series, lines, scale}): void}} `series`: [{name, kind, points: [[x, y], …]}] in order of
 *   x; `lines`: [{y, label}]; `scale`: "linear", "log" or "error"
 */
export function lineChart(element, about) {
  const readout = node("p", { class: "readout", "aria-live": "off" });
  const svg = svgNode("svg", { class: "chart", role: "img", tabindex: "0", "aria-label": about.label });
  element.append(svg, readout);
  const formatX = about.formatX ?? String;
  let shown = { series: [], lines: [], scale: "linear" };
  let at = null; // the x that is read; null: the last one
  let frame = null;

  const xs = () => [...new Set(shown.series.flatMap((one) => one.points.map((point) => point[0])))].sort((a, b) => a - b);

  function draw() {
    const width = Math.max(240, element.clientWidth);
    const scale = scales[shown.scale];
    const values = [...shown.series.flatMap((one) => one.points.map((point) => point[1])), ...shown.lines.map((one) => one.y)];
    const good = values.filter((value) => value != null && Number.isFinite(value)).map(scale);
    const [low, high] = span(good, shown.scale);
    const all = xs();
    const right = Math.max(all.at(-1) ?? 0, about.leastX ?? 1);
    const X = (x) => EDGE.left + (x / right) * (width - EDGE.left - EDGE.right);
    const Y = (y) => HEIGHT - EDGE.bottom - ((scale(y) - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const parts = [];
    for (const tick of ticks(low, high, shown.scale)) {
      parts.push(svgNode("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: Y(tick), y2: Y(tick) }));
      parts.push(svgNode("text", { class: "tick", x: EDGE.left - 6, y: Y(tick) + 4, "text-anchor": "end", text: about.format(tick) }));
    }
    for (const tick of round(0, right, width < 420 ? 4 : 7)) {
      parts.push(svgNode("text", { class: "tick", x: X(tick), y: HEIGHT - 8, "text-anchor": "middle", text: formatX(tick) }));
    }
    for (const line of shown.lines) {
      parts.push(svgNode("line", { class: "level", x1: EDGE.left, x2: width - EDGE.right, y1: Y(line.y), y2: Y(line.y) }));
      const above = Y(line.y) > EDGE.top + 16;
      parts.push(svgNode("text", { class: "level-name", x: width - EDGE.right, y: Y(line.y) + (above ? -4 : 13), "text-anchor": "end", text: line.label }));
    }
    for (const one of shown.series) {
      const path = one.points.filter((point) => point[1] != null).map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`);
      parts.push(svgNode("polyline", { class: `line ${one.kind}`, points: path.join(" ") }));
      if (path.length === 1) parts.push(svgNode("circle", { class: `dot ${one.kind}`, cx: path[0].split(",")[0], cy: path[0].split(",")[1], r: 3 }));
    }
    const x = at == null ? all.at(-1) : all.reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best), all[0]);
    if (at != null && x != null) parts.push(svgNode("line", { class: "cursor", x1: X(x), x2: X(x), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
    svg.replaceChildren(...parts);
    read(x);
    svg.dataset.right = right;
  }

  function read(x) {
    const parts = [node("span", { text: x == null ? "nothing yet" : `${about.x} ${formatX(x)}` })];
    for (const one of shown.series) {
      const point = x == null ? null : one.points.findLast(([px]) => px <= x + 1e-9);
      parts.push(node("span", { class: `key ${one.kind}` }, one.name, " ", node("b", { text: point ? about.format(point[1], true) : "–" })));
    }
    readout.replaceChildren(...parts);
  }

  function later() {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      draw();
    });
  }

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const part = (event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right);
    at = Math.min(1, Math.max(0, part)) * Number(svg.dataset.right);
    later();
  });
  svg.addEventListener("pointerleave", () => ((at = null), later()));
  svg.addEventListener("blur", () => ((at = null), later()));
  svg.addEventListener("keydown", (event) => {
    const all = xs();
    if (!all.length || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const here = at == null ? all.length - 1 : all.findLastIndex((x) => x <= at);
    const move = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: all.length - 1 }[event.key];
    at = all[Math.min(all.length - 1, Math.max(0, move))];
    later();
  });
  new ResizeObserver(later).observe(element);

  return { update: (options) => ((shown = { ...shown, ...options }), later()) };
}

/** The lowest and the highest of scaled values, with some air, and never nothing between them. */
function span(values, scale) {
  if (scale === "error") return [0, Math.max(scales.error(0.8), ...values) + 0.12];
  const low = scale === "linear" ? 0 : Math.min(...values, 0);
  const high = Math.max(...values, scale === "linear" ? 0.1 : low + 1);
  return [low, high + 0.06 * (high - low)];
}

/** Where an axis has its marks, in values. */
function ticks(low, high, scale) {
  if (scale === "linear") return round(low, high, 5);
  if (scale === "error") return ERRORS.map((error) => 1 - error).filter((value) => scales.error(value) <= high);
  return round(Math.ceil(low), Math.floor(high), 5).filter(Number.isInteger).map((power) => 10 ** power);
}

/** About `wanted` round numbers from `low` to `high`. */
function round(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
