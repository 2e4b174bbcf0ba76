/**
 * Drawing with the keyboard alone.
 */

const STEP = 1 / 28;
const LARGE = 4; // steps, with Shift
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What the keys do, in a sentence for who reads it and who hears it. */
export const KEYS = "Arrow keys move the pen, with Shift further; Space puts it down or lifts it; Backspace undoes, Escape clears.";

/**
 * A pen moved by the arrow keys over a focused pad.
 * @param {HTMLElement} element gets the keys
 * @param {object} pad
 * @param {function(number[]): void} pad.begin a stroke begins at a point [x, y]
 * @param {function(number[]): void} pad.extend it goes on to a point
 * @param {function(): void} pad.end it ends
 * @param {function(): void} pad.undo
 * @param {function(): void} pad.redo
 * @param {function(): void} pad.clear
 * @param {function(): void} pad.moved the pen is elsewhere, and is to be painted
 * @returns {{at: number[], down: boolean, shown: boolean}} where the pen is
 */
export function keyboardPen(element, pad) {
  const pen = { at: [0.5, 0.25], down: false, shown: false };

  function lift() {
    if (pen.down) pad.end();
    pen.down = false;
  }

  function move(way, far) {
    pen.at = pen.at.map((value, i) => Math.min(1, Math.max(0, value + way[i] * STEP * (far ? LARGE : 1))));
    if (pen.down) pad.extend(pen.at);
  }

  function toggle() {
    if (pen.down) return lift();
    pen.down = true;
    pad.begin(pen.at);
  }

  function lifted(act) {
    lift();
    act();
  }

  function action(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() === "z") return () => lifted(event.shiftKey ? pad.redo : pad.undo);
      return key.toLowerCase() === "y" ? () => lifted(pad.redo) : null;
    }
    if (event.altKey) return null;
    if (key in WAYS) return () => move(WAYS[key], event.shiftKey);
    if (key === " ") return event.repeat ? () => {} : toggle;
    if (key === "Backspace") return () => lifted(pad.undo);
    if (key === "Delete" || key === "Escape") return () => lifted(pad.clear);
    return null;
  }

  element.addEventListener("keydown", (event) => {
    const act = action(event);
    if (!act) return;
    event.preventDefault();
    pen.shown = true;
    act();
    pad.moved();
  });
  element.addEventListener("blur", () => {
    lift();
    pen.shown = false;
    pad.moved();
  });
  element.addEventListener("focus", () => {
    pen.shown = element.matches(":focus-visible");
    pad.moved();
  });
  element.addEventListener("pointerdown", () => {
    lift();
    pen.shown = false;
  });
  return pen;
}
