/**
 * Pictures of the user's own, dropped on the page or pasted: read here, shrunk, and looked at as grey numbers.
 */
import { node } from "./dom.js";
import { bytes } from "./numbers.js";
import { centre } from "./stream.js";

const LONGEST = 512; // pixels; a digit's strokes are wide enough to be seen in so many

/**
 * @param {HTMLElement} area what pictures are dropped on
 * @param {{shape: [number, number], inkBox: number|null, show: function(Object): void, notice: function(string): void}} about
 */
export function dropPictures(area, { shape, inkBox, show, notice }) {
  const choose = node("input", { type: "file", accept: "image/*", hidden: true, onchange: () => take(choose.files) });
  const button = node("button", { type: "button", class: "small", text: "Open a picture", onclick: () => choose.click() });
  area.append(node("p", { class: "note drop" }, "Or drop a picture here. ", button, choose));

  area.addEventListener("dragover", (event) => (event.preventDefault(), area.classList.add("over")));
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => event.clipboardData.files.length && take(event.clipboardData.files));

  async function take(files) {
    const file = files[0];
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
      const raw = grey(bitmap, shape[1], shape[0]);
      const large = grey(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
      const told = inkBox == null ? null : await centre(large.pixels, large.width, large.height);
      show({ raw: raw.pixels, centred: told && bytes(told.image) });
      notice(told ? `${file.name}: ${told.notes.join("; ")}` : `${file.name}: made grey and ${shape[1]}×${shape[0]} pixels, no more`);
    } catch (error) {
      notice(`${file.name}: ${error.message || "no picture that this browser reads"}`);
    } finally {
      choose.value = "";
    }
  }
}

/** A bitmap on white as grey bytes of this size. */
function grey(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2] + 0.5);
  return { pixels, width, height };
}
