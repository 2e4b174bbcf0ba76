/**
 * The drawing surface: pen, finger, mouse and keyboard.
 */
import { node } from "./dom.js";
import { makeInk } from "./ink.js";
import { KEYS, keyboardPen } from "./keys.js";
import { onTheme } from "./pictures.js";
import { asStrokes, drawnStrokes } from "./strokes.js";

const FINE = 280; // pixels of ink on the longer side, at least about so many
const COARSE = 4; // pixels of ink for each of the data's, at least
export const PEN = { least: 0.02, most: 0.16, usual: 0.09 }; // widths, parts of the pad's longer side

let pads = 0;

/**
 * A pad of the shape of the data's images.
 * @param {HTMLElement} root gets the canvas, and a sentence for screen readers
 * @param {object} about
 * @param {[number, number]} about.shape rows and columns of an image
 * @param {string} about.hint what stands on the empty pad
 * @returns what is drawn: `ink` (Float32Array, inkHeight × inkWidth, 0 to 1), `strokes` and `pen` (a part of the longer
 *   side), which can be set; `undo`, `redo`, `clear`, `canUndo`, `canRedo`; `drawing`, whether a stroke is under way;
 *   `onchange`, called once a frame in which the drawing has changed
 */
export function makePad(root, { shape: [H, W], hint }) {
  const grain = Math.max(COARSE, Math.round(FINE / Math.max(H, W)));
  const ink = makeInk(W * grain, H * grain);
  const strokes = drawnStrokes();
  const help = `pad-help-${++pads}`;
  const canvas = node("canvas", { class: "pad", tabindex: "0", role: "application", "aria-label": "Drawing pad", "aria-describedby": help });
  canvas.style.aspectRatio = `${W} / ${H}`;
  root.append(canvas, node("p", { id: help, class: "unseen", text: KEYS }));

  let width = PEN.usual;
  let pointer = null; // the id of the pen, finger or mouse that draws
  let drawing = false;
  let asked = null; // the frame that will paint
  let changed = false;

  function soon(isChange) {
    changed ||= isChange;
    asked ??= requestAnimationFrame(() => {
      asked = null;
      paint();
      const tell = changed;
      changed = false;
      if (tell) pad.onchange?.();
    });
  }

  function reink() {
    ink.clear();
    for (const points of strokes.all) ink.stroke(points, width);
    soon(true);
  }

  function begin(point) {
    strokes.begin(point);
    drawing = true;
    ink.stroke([point], width);
    soon(true);
  }

  function extend(point) {
    ink.stroke([strokes.all.at(-1).at(-1), point], width);
    strokes.extend(point);
    soon(true);
  }

  function end() {
    drawing = false;
    soon(true);
  }

  function act(change) {
    return () => {
      if (drawing) end();
      pointer = null;
      change();
      reink();
    };
  }

  const pad = {
    element: canvas,
    ink: ink.values,
    inkWidth: ink.w,
    inkHeight: ink.h,
    onchange: null,
    undo: act(() => strokes.undo()),
    redo: act(() => strokes.redo()),
    clear: act(() => strokes.all.length && strokes.replace([])),
    get canUndo() {
      return strokes.canUndo;
    },
    get canRedo() {
      return strokes.canRedo;
    },
    get drawing() {
      return drawing;
    },
    get strokes() {
      return strokes.all;
    },
    set strokes(value) {
      act(() => strokes.replace(asStrokes(value)))();
    },
    get pen() {
      return width;
    },
    set pen(value) {
      width = Number.isFinite(value) ? Math.min(PEN.most, Math.max(PEN.least, value)) : PEN.usual;
      reink();
    },
  };
  const byKeys = keyboardPen(canvas, { ...pad, begin, extend, end, moved: () => soon(false) });

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const part = (at, start, length) => Math.min(1, Math.max(0, (at - start) / length));
    return [part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height)];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) extend(place(one));
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      end();
    });
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press of a finger is a dot

  function paint() {
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    const fine = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(w * fine), Math.round(h * fine)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.setTransform(fine, 0, 0, fine, 0, 0);
    context.clearRect(0, 0, w, h);
    if (!strokes.all.length && !byKeys.shown) {
      Object.assign(context, { fillStyle: style.getPropertyValue("--soft"), textAlign: "center", textBaseline: "middle" });
      context.font = `1rem ${style.fontFamily}`;
      context.fillText(hint, w / 2, h / 2, w - 16);
    }
    const wet = { strokeStyle: style.color, lineWidth: width * Math.max(w, h), lineCap: "round", lineJoin: "round" };
    Object.assign(context, wet);
    for (const points of strokes.all) {
      context.beginPath();
      context.moveTo(points[0][0] * w, points[0][1] * h);
      for (const [x, y] of points.length > 1 ? points.slice(1) : points) context.lineTo(x * w, y * h);
      context.stroke();
    }
    if (byKeys.shown) {
      Object.assign(context, { strokeStyle: style.getPropertyValue("--accent"), lineWidth: byKeys.down ? 4 : 2 });
      context.beginPath();
      context.arc(byKeys.at[0] * w, byKeys.at[1] * h, Math.max(6, (width * Math.max(w, h)) / 2), 0, 2 * Math.PI);
      context.stroke();
    }
  }

  new ResizeObserver(() => soon(false)).observe(canvas);
  onTheme(() => soon(false));
  return pad;
}
