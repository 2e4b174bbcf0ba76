/**
 * The page of one run: its weights stand in the file itself.
 */
import { drawView } from "./draw.js";
import { network } from "./network.js";
import { bytes } from "./numbers.js";

const told = JSON.parse(document.getElementById("model").textContent);
drawView(document.getElementById("draw"), {
  ...told,
  network: network({ sizes: told.sizes, weights: unpacked(told), scaled: true }),
});

/** Base64 of numbers of 32 or 16 bits, with a scale for each tensor: W1, b1, W2, b2, … */
function unpacked({ sizes, bits, scales, data }) {
  const packed = bytes(data);
  const view = new DataView(packed.buffer);
  const weights = new Float32Array((packed.length * 8) / bits);
  const lengths = sizes.slice(1).flatMap((outputs, i) => [outputs * sizes[i], outputs]);
  const read = bits === 32 ? (i) => view.getFloat32(4 * i, true) : (i) => fromHalf(view.getUint16(2 * i, true));
  let at = 0;
  lengths.forEach((length, i) => {
    for (const end = at + length; at < end; at++) weights[at] = scales[i] * read(at);
  });
  return weights;
}

/** A float16 number from its 16 bits. */
function fromHalf(bits) {
  const exponent = (bits >> 10) & 31;
  const size = exponent ? 2 ** (exponent - 25) * (1024 + (bits & 1023)) : 2 ** -24 * (bits & 1023);
  return bits & 0x8000 ? -size : size;
}
