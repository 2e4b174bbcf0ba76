/**
 * Elements. Text that comes from data is always text, never markup.
 */

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Give an element a text, unless it has it: what does not change is neither drawn nor read out again. */
export function say(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/**
 * A new element.
 * @param {string} tag its name
 * @param {Object<string, any>} attributes `on…` are listeners, `text` is its text, true is an empty attribute
 * @param {...(Node|string)} children
 */
export function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/** The same in SVG. */
export function svgNode(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
}
