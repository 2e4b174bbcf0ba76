/**
 * Strokes as ink: how much of each pixel a round pen has covered.
 */

/**
 * A sheet of w × h pixels to draw on. `values` holds its ink, row after row, 0 (paper) to 1.
 * It is worked out here, not read from a canvas: browsers that guard against fingerprinting put noise into what is read.
 * @param {number} w pixels a row
 * @param {number} h rows
 */
export function makeInk(w, h) {
  const values = new Float32Array(w * h);

  /** One straight piece of a stroke; x and y are fractions of the sheet's sides, `width` of its longer one. */
  function segment(x0, y0, x1, y1, width) {
    const radius = (width * Math.max(w, h)) / 2;
    const [ax, ay, bx, by] = [x0 * w, y0 * h, x1 * w, y1 * h];
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    const reach = radius + 1;
    const beyond = (radius + 0.5) ** 2;
    const left = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
    const right = Math.min(w - 1, Math.ceil(Math.max(ax, bx) + reach));
    const top = Math.max(0, Math.floor(Math.min(ay, by) - reach));
    const bottom = Math.min(h - 1, Math.ceil(Math.max(ay, by) + reach));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const px = column + 0.5 - ax;
        const py = row + 0.5 - ay;
        const along = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const off = (px - along * dx) ** 2 + (py - along * dy) ** 2;
        if (off >= beyond) continue;
        const covered = radius + 0.5 - Math.sqrt(off);
        const at = row * w + column;
        if (covered > values[at]) values[at] = Math.min(1, covered);
      }
    }
  }

  return {
    w,
    h,
    values,
    segment,
    /** A whole stroke, its points [x, y]; a single one is a dot. */
    stroke(points, width) {
      const [first] = points;
      if (points.length === 1) segment(...first, ...first, width);
      for (let i = 1; i < points.length; i++) segment(...points[i - 1], ...points[i], width);
    },
    clear() {
      values.fill(0);
    },
  };
}
