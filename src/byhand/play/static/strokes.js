/**
 * What has been drawn, as strokes of points, with everything that was done to it, so that it can be undone.
 */

const MOST_STROKES = 400;
const MOST_POINTS = 20000; // of all strokes; a link or a slip of the hand shall not stop the page

/**
 * @typedef {number[][][]} Strokes a list of strokes, each a list of points [x, y], fractions of the pad's width and height
 */

/** Whatever it is, as strokes: points that are none are left out, those outside are moved to the edge. */
export function asStrokes(value) {
  if (!Array.isArray(value)) return [];
  let left = MOST_POINTS;
  const inside = (number) => Math.min(1, Math.max(0, number));
  return value
    .slice(0, MOST_STROKES)
    .map((points) => {
      const good = (Array.isArray(points) ? points : []).filter((at) => at?.length === 2 && at.every(Number.isFinite));
      const taken = good.slice(0, left).map((at) => at.map(inside));
      left -= taken.length;
      return taken;
    })
    .filter((points) => points.length);
}

/** The strokes of a drawing, with undo and redo; emptying the pad and taking a link's drawing can be undone too. */
export function drawnStrokes() {
  let now = [];
  let before = [];
  let after = [];
  return {
    get all() {
      return now;
    },
    get canUndo() {
      return before.length > 0;
    },
    get canRedo() {
      return after.length > 0;
    },
    /** Another drawing in place of this one. */
    replace(strokes) {
      before.push(now);
      after = [];
      now = strokes;
    },
    /** Begin a stroke at a point; `extend` goes on with it. */
    begin(point) {
      this.replace([...now, [point]]);
    },
    extend(point) {
      now.at(-1).push(point);
    },
    undo() {
      if (!before.length) return;
      after.push(now);
      now = before.pop();
    },
    redo() {
      if (!after.length) return;
      before.push(now);
      now = after.pop();
    },
  };
}
