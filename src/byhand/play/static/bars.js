/**
 * The probability of each class, as a bar that moves while one draws.
 */
import { node } from "./dom.js";

const SEEN = 0.005; // a tick below this would say nothing, ten times

/** A probability as a person reads it; only what is certain is 100 %. */
export function asShare(probability) {
  if (probability > 0.9995 && probability < 1) return ">99.9 %";
  return `${(100 * probability).toFixed(1)} %`;
}

/**
 * @param {string[]} classes
 * @returns {{element: HTMLElement, show: function(?ArrayLike<number>, ?ArrayLike<number>): void}} `show` takes the
 *   probabilities for the bars, and others for the ticks on the same tracks; null for none
 */
export function probabilityBars(classes) {
  const rows = classes.map((name) => {
    const fill = node("span", { class: "fill" });
    const tick = node("span", { class: "tick", hidden: true });
    const share = node("span", { class: "share" });
    const label = node("bdi", { class: "name", title: name, text: name });
    return { fill, tick, share, row: node("li", {}, label, node("span", { class: "track" }, fill, tick), share) };
  });
  const element = node("ol", { class: "bars", "aria-label": "Probability of each class" }, ...rows.map(({ row }) => row));

  function show(probs, others) {
    const most = probs ? Math.max(...probs) : 2;
    rows.forEach(({ fill, tick, share, row }, i) => {
      fill.style.transform = `scaleX(${probs?.[i] ?? 0})`;
      share.textContent = probs ? asShare(probs[i]) : "–";
      row.classList.toggle("most", probs?.[i] === most);
      tick.hidden = !(others?.[i] >= SEEN);
      if (others) tick.style.left = `${100 * others[i]}%`;
    });
  }

  show(null, null);
  return { element, show };
}
