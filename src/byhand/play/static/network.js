/**
 * A linear model or a multilayer perceptron: what it says of a picture, and which pixels made it say so.
 */

/**
 * A network of linear layers with a ReLU between them.
 * @param {object} of
 * @param {number[]} of.sizes inputs, hidden units of each layer, classes: [784, 10] or [784, 30, 10]
 * @param {Float32Array} of.weights W1 (O × I, row after row), b1, W2, b2, …
 * @param {boolean} of.scaled whether it learnt from pixels divided by 255
 */
export function network({ sizes, weights, scaled }) {
  const layers = [];
  let at = 0;
  for (let i = 1; i < sizes.length; i++) {
    const [inputs, outputs] = [sizes[i - 1], sizes[i]];
    const weight = weights.subarray(at, at + inputs * outputs);
    const bias = weights.subarray(at + inputs * outputs, at + (inputs + 1) * outputs);
    layers.push({ weight, bias, inputs, outputs });
    at += (inputs + 1) * outputs;
  }
  const input = (pixels) => Float64Array.from(pixels, (level) => (scaled ? level / 255 : level));

  /** What comes out of each layer, the last one's being the logits; hidden ones after their ReLU. */
  function forward(pixels) {
    let x = input(pixels);
    return layers.map((layer, i) => {
      x = timesWeight(layer, x);
      if (i < layers.length - 1) x = x.map((value) => Math.max(0, value));
      return x;
    });
  }

  return {
    sizes,
    /**
     * @param {Uint8Array} pixels H × W
     * @returns {{logits: Float64Array, probs: Float64Array, label: number}} label: the likeliest class's number
     */
    predict(pixels) {
      const logits = forward(pixels).at(-1);
      const probs = softmax(logits);
      return { logits, probs, label: probs.indexOf(Math.max(...probs)) };
    },
    /**
     * What each pixel adds to a class's score: pixel × weight; with hidden units pixel × gradient, which is the same
     * for the straight piece of the network that this picture lies on. The values and `bias` add up to the score.
     * @param {Uint8Array} pixels H × W
     * @param {number} label the class's number
     * @returns {{values: Float64Array, bias: number, score: number}} values: H × W
     */
    why(pixels, label) {
      const outputs = forward(pixels);
      const last = layers.at(-1);
      let gradient = last.weight.subarray(label * last.inputs, (label + 1) * last.inputs);
      for (let i = layers.length - 2; i >= 0; i--) {
        const open = Float64Array.from(gradient, (value, unit) => (outputs[i][unit] > 0 ? value : 0));
        gradient = timesTransposed(layers[i], open);
      }
      const values = input(pixels).map((value, i) => value * gradient[i]);
      const score = outputs.at(-1)[label];
      return { values, bias: score - values.reduce((a, b) => a + b, 0), score };
    },
  };
}

function timesWeight({ weight, bias, inputs, outputs }, x) {
  const lit = [];
  x.forEach((value, i) => value && lit.push(i)); // most of a drawing is paper
  const y = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = bias[o];
    for (const i of lit) sum += weight[o * inputs + i] * x[i];
    y[o] = sum;
  }
  return y;
}

function timesTransposed({ weight, inputs, outputs }, y) {
  const x = new Float64Array(inputs);
  for (let o = 0; o < outputs; o++) {
    if (y[o]) for (let i = 0; i < inputs; i++) x[i] += weight[o * inputs + i] * y[o];
  }
  return x;
}

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
