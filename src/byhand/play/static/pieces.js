/**
 * Three pictures of a model as it is now: its weights, its confusions, its worst mistakes.
 */
import { node, say } from "./dom.js";
import { bytes, count, percent, signedBytes } from "./numbers.js";
import { paintGrey, paintSigned } from "./pictures.js";

/** Weights as pictures, painted in place: `show(pictures, classes)` with the frame's `pictures`. */
export function weightPictures(grid, note) {
  let cells = [];
  return function show(pictures, classes) {
    const perClass = pictures.layer.endsWith("classes");
    const which = pictures.layer + pictures.units;
    if (grid.dataset.which !== which) {
      grid.dataset.which = which;
      grid.classList.toggle("ten", pictures.count === 10);
      cells = Array.from({ length: pictures.count }, (_, i) => {
        const canvas = node("canvas", { role: "img" });
        const name = perClass ? classes[pictures.units[i]] : String(pictures.units[i] + 1);
        canvas.setAttribute("aria-label", perClass ? `weights of class ${name}` : `weights of hidden unit ${name}`);
        grid.append(node("div", { class: "weight" }, canvas, node("span", { text: name })));
        return canvas;
      });
      grid.replaceChildren(...cells.map((canvas) => canvas.parentElement));
    }
    say(note, perClass ? "red speaks for the class, blue against it" : `${pictures.layer}: red excites a unit, blue quiets it`);
    const values = signedBytes(pictures.data);
    const [height, width] = pictures.shape;
    for (const [i, canvas] of cells.entries()) {
      paintSigned(canvas, values.subarray(i * height * width, (i + 1) * height * width), width, height, 127);
    }
  };
}

/** The confusion matrix as a table whose cells are shaded: `show(matrix, classes)`; rows are what an image truly is. */
export function confusionTable(box, word) {
  let table = null;
  let cells = [];
  function make(classes) {
    const head = node("tr", {}, node("td"), ...classes.map((name) => node("th", { scope: "col", text: name })));
    cells = classes.map(() => classes.map(() => node("td")));
    const body = classes.map((name, i) => node("tr", {}, node("th", { scope: "row", text: name }), ...cells[i]));
    table = node("table", { class: "confusion" }, node("thead", {}, head), node("tbody", {}, ...body));
    table.dataset.classes = classes.join("\n");
    box.replaceChildren(table);
  }
  return function show(matrix, allClasses) {
    const classes = allClasses.slice(0, matrix.length);
    if (table?.dataset.classes !== classes.join("\n")) make(classes);
    let [most, from, to] = [0, 0, 0];
    matrix.forEach((row, i) => {
      const sum = row.reduce((a, b) => a + b, 0) || 1;
      row.forEach((n, j) => {
        const cell = cells[i][j];
        say(cell, n || "");
        cell.className = i === j ? "hit" : "miss";
        cell.style.setProperty("--share", (i === j ? n / sum : Math.min(1, (4 * n) / sum)).toFixed(3));
        if (i !== j && n > most) [most, from, to] = [n, i, j];
      });
    });
    say(word, most ? `Most often: ${classes[from]} taken for ${classes[to]}, ${count(most)} times.` : "No mistake in the sample.");
  };
}

/** The images that cost the most: `show(worst, classes)`. */
export function worstMistakes(list) {
  return function show(worst, classes) {
    while (list.children.length > worst.length) list.lastChild.remove();
    worst.forEach((one, i) => {
      const item = list.children[i] ?? list.appendChild(node("li", {}, node("canvas", { role: "img" }), node("span")));
      const text = `${classes[one.label]}, said ${classes[one.pred]}`;
      if (item.dataset.row !== String(one.row)) paintGrey(item.firstChild, bytes(one.image), one.shape[1], one.shape[0]);
      item.dataset.row = one.row;
      item.firstChild.setAttribute("aria-label", text);
      item.lastChild.replaceChildren(text, node("small", { text: percent(one.prob, 0) + " sure" }));
    });
  };
}
