/**
 * Numbers as a person reads them, and the bytes that carry many of them.
 */

/** 0.0731 → "7.3 %"; more digits where the errors are few. */
export function percent(value, digits = value > 0.99 && value < 1 ? 2 : 1) {
  return value == null ? "–" : `${(100 * value).toFixed(digits)} %`;
}

/** Three significant digits; very small and very large numbers as 8.5·10⁻⁴. */
export function short(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(value.toPrecision(3)));
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits}·10${[...String(Number(power))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("")}`;
}

/** 54000 → "54,000". */
export function count(value) {
  return value == null ? "–" : Math.round(value).toLocaleString("en-US");
}

/** Base64 → bytes. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** Base64 → signed bytes. */
export function signedBytes(base64) {
  return new Int8Array(bytes(base64).buffer);
}
