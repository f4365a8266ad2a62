// The bundle's model on ONNX Runtime Web: pixels in, its answers out.

import { asLogits } from "./answer.js";
import * as ort from "./ort.wasm.min.mjs";
import { normalise } from "./preprocess.js";

/** What is here to compute with. Several threads need an isolated page, for which a host must send two headers. */
export function threads() {
  return globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
}

export async function openModel(facts) {
  ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
  ort.env.wasm.numThreads = threads();
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(facts.model.file, { executionProviders: ["wasm"] });
  return { facts, session };
}

/** The tensor of `pixels`, Uint8 [image * image * 3], in the form that the file takes. */
function tensorOf({ facts }, pixels) {
  const side = facts.preprocess.image;
  if (facts.model.input === "uint8") return new ort.Tensor("uint8", pixels, [1, side, side, 3]);
  return new ort.Tensor("float32", normalise(facts.preprocess, pixels), [1, 3, side, side]);
}

/** A function that runs the model once, for the same pixels each time: what is measured. */
export function runner(model, pixels) {
  const feeds = { [model.session.inputNames[0]]: tensorOf(model, pixels) };
  return async () => {
    const answer = (await model.session.run(feeds))[model.session.outputNames[0]];
    const values = Float32Array.from(answer.data);
    answer.dispose();
    return values;
  };
}

/** What the file gives. */
export async function answersOf(model, pixels) {
  return runner(model, pixels)();
}

/** Of a model that gives probabilities, logits that have them: deploy/outputs.py is the same in Python. */
export async function logitsOf(model, pixels) {
  return asLogits(model.facts, await answersOf(model, pixels));
}
