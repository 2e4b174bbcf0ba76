/**
 * The server: what it tells, and what it is asked. It is the one this page came from; there is no other.
 */

const PATIENCE = 5000; // milliseconds that a hidden tab goes on listening

/**
 * Listen to the server's events while the page is to be seen. A browser keeps some six lines to a server, and each tab
 * that listens holds one: those that nobody looks at let go of theirs, and learn all that is new when they come back.
 * @param {Object<string, function(Object): void>} handlers by the event's name
 * @param {function(boolean): void} connected told when the line is lost and when it is back
 */
export function listen(handlers, connected) {
  let source = null;
  let leaving = null;

  function open() {
    source = new EventSource("/events");
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
    source.onopen = () => connected(true);
    source.onerror = () => connected(false);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(() => (source.close(), (source = null)), PATIENCE);
    else if (!source) open();
  });
  open();
}

/**
 * Ask the server to do something.
 * @param {Object} command `{do: "play"}` and the like
 * @returns {Promise<Object>} its answer
 * @throws {Error} with the server's own line
 */
export async function send(command) {
  const answer = await fetch("/do", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(command),
  });
  const told = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
  return told;
}

/** The weights as they are now: float32 numbers, layer after layer, or null. */
export async function fetchWeights() {
  const answer = await fetch("/weights");
  return answer.ok ? new Float32Array(await answer.arrayBuffer()) : null;
}

/**
 * A picture of the user's as the data set would have it.
 * @param {Uint8Array} grey width × height
 * @returns {Promise<{image: string, notes: string[]}>}
 */
export async function centre(grey, width, height) {
  const body = new Uint8Array(4 + grey.length);
  new DataView(body.buffer).setUint16(0, width, true);
  new DataView(body.buffer).setUint16(2, height, true);
  body.set(grey, 4);
  const answer = await fetch("/picture", {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body,
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
  return told;
}
