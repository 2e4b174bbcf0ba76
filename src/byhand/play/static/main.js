/**
 * The page: joins what the server tells, what a person draws, and the address.
 */
import { byId, say } from "./dom.js";
import { drawView } from "./draw.js";
import { dropPictures } from "./drop.js";
import { lineChart } from "./chart.js";
import { fromHash, toHash } from "./link.js";
import { network } from "./network.js";
import * as pictures from "./pictures.js";
import { fetchWeights, listen, send } from "./stream.js";
import { trainView } from "./train.js";
import { watchView } from "./watch.js";

const FRESH = 250; // milliseconds between two looks at the weights while they change

history.replaceState(null, "", location.pathname + location.hash); // the token in the address has been used

let state = null;
let train = null;
let watch = null;
let draw = null;
let asked = { run: null, step: null, time: 0 }; // the weights that the drawing is judged by
let fetching = false;
let reached = true;

listen(
  {
    state: first,
    frame: (told) => {
      train?.frame(told);
      refresh(told);
    },
    watch: (told) => watch?.update(told),
    curves: (told) => watch?.update(told),
    findings: (told) => watch?.findings(told),
  },
  connected,
);

function connected(there) {
  if (there === reached) return;
  reached = there;
  notice(there ? "" : "The server does not answer. If it was ended, start byhand play again.");
}

function first(told) {
  const before = state;
  state = told;
  byId("title").textContent = told.sizes ? `${told.title}, ${modelName(told.sizes)}` : told.title;
  document.title = `${told.title} – byhand play`;
  if (!before) begin();
  if (told.mode === "watch") {
    watch.update(told);
    return;
  }
  train.state(told);
  if (told.message !== (before?.message ?? null)) notice(told.message ?? "");
  if (told.saved && told.saved !== before?.saved) notice(`Saved as ${told.saved}. In a terminal: byhand evaluate ${told.saved}`);
  refresh(told);
  remember();
}

function modelName(sizes) {
  return `${sizes.length === 2 ? "one linear layer" : "MLP"} ${sizes.join("–")}`;
}

/** The first state tells which page this is. */
function begin() {
  const watching = state.mode === "watch";
  for (const id of ["draw", "train", "copy", "save", "export"]) byId(id).hidden = watching;
  byId("watch").hidden = !watching;
  document.body.dataset.mode = state.mode;
  if (watching) {
    watch = watchView(byId("watch-view"), state, { chart: lineChart, pictures, ask });
    return;
  }
  train = trainView(ask);
  const { classes, shape, ink_box: inkBox } = state.data;
  draw = drawView(byId("draw-view"), { classes, shape, inkBox });
  dropPictures(byId("draw"), { shape, inkBox, show: draw.showImage, notice });
  const link = fromHash(location.hash, state.controls);
  draw.set(link);
  draw.onchange = remember;
  const other = Object.entries(link.controls).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(state.controls[name]));
  if (other.length && state.trainable === true) {
    if (state.step === 0) ask({ do: "set", controls: Object.fromEntries(other) });
    else notice("This link was made with other settings than those in use; Reset, then load it again, to take them.");
  }
}

/** Look at the weights, if they have changed and not too often. */
async function refresh(told) {
  if (fetching || (told.run === asked.run && told.step === asked.step)) return;
  const wait = asked.time + FRESH - performance.now();
  fetching = true;
  if (wait > 0) await new Promise((done) => setTimeout(done, wait));
  try {
    const weights = await fetchWeights();
    asked = { run: told.run, step: told.step, time: performance.now() };
    if (weights) draw.setNetwork(network({ sizes: state.sizes, weights, scaled: state.controls.scaled }));
  } catch {
    // The next frame asks again; a server that has ended is told of by the stream.
  } finally {
    fetching = false;
  }
}

async function ask(command) {
  try {
    return await send(command);
  } catch (error) {
    notice(error.message);
    return null;
  }
}

function notice(text) {
  say(byId("notice"), text);
  byId("notice").hidden = !text;
}

let remembering = null;

/** Put what is chosen and drawn into the address, now and then. */
function remember() {
  remembering ??= setTimeout(() => {
    remembering = null;
    history.replaceState(null, "", `${location.pathname}#${toHash({ controls: state.controls, ...draw.get() })}`);
  }, 300);
}

byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    notice("The link is in the clipboard: it holds the settings and the drawing.");
  } catch {
    notice("The browser does not let a page copy; the link is in the address bar.");
  }
});
byId("save").addEventListener("click", () => ask({ do: "save" }));
