// The page: pictures come in, classes go out, and the device is measured when someone asks for it.

import * as camera from "./camera.js";
import { check, checkPicture } from "./check.js";
import { describeDevice, nameOf } from "./device.js";
import { measure } from "./measure.js";
import { answersOf, logitsOf, openModel, runner } from "./model.js";
import { read } from "./picture.js";
import { pixelsOf } from "./preprocess.js";
import { addCard, byId, say, showFigures } from "./view.js";

const collected = new URLSearchParams(location.search).has("collect"); // `linnet phone` waits for this device's times

async function main() {
  const facts = await (await fetch("facts.json")).json();
  document.title = facts.name;
  byId("name").textContent = facts.name;
  byId("about").textContent = facts.about;
  byId("version").textContent = facts.ort;
  const state = byId("state");
  say(state, `Loading the model (${(facts.model.bytes / 1e6).toFixed(1)} MB) …`, "quiet");
  const start = performance.now();
  const model = await openModel(facts);
  const seconds = (performance.now() - start) / 1000;
  const proof = await check(facts, (pixels) => answersOf(model, pixels));
  if (!proof.passed) {
    const what = proof.samePixels ? `its outputs are off by ${(100 * proof.off).toPrecision(2)} %` : "it scales pictures otherwise";
    say(state, `This browser does not compute what the proven model computes: ${what}. Its answers are not shown.`, "bad");
    return;
  }
  say(state, `Ready in ${seconds.toFixed(1)} s. This browser computes what the proven model computes.`, "good small");
  takePictures(model);
  useCamera(model);
  byId("bench").hidden = false;
  byId("asked").hidden = !collected;
  byId("measure").onclick = () => bench(model, proof);
  if (collected) byId("bench").scrollIntoView();
}

let line = Promise.resolve(); // one picture after another: a phone has the memory for one

function classify(model, name, getPicture) {
  const card = addCard(byId("pictures"), name);
  line = line.then(async () => {
    try {
      const picture = await getPicture();
      const start = performance.now();
      const logits = await logitsOf(model, pixelsOf(model.facts.preprocess, picture));
      card.answer(model.facts, picture, logits, performance.now() - start);
    } catch (error) {
      const unreadable = error instanceof DOMException; // what a decoder throws
      card.failed(unreadable ? "This browser cannot open it as a picture." : `It could not be classified (${error.message}).`);
    }
  });
}

function takePictures(model) {
  const zone = byId("in");
  const take = (files) => {
    for (const file of [...files].reverse()) classify(model, file.name || "pasted", () => read(file)); // the first stays on top
  };
  zone.hidden = false;
  for (const input of [byId("files"), byId("snap")]) {
    input.onchange = () => {
      take(input.files);
      input.value = ""; // so that the same file can be chosen again
    };
  }
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => event.relatedTarget || zone.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  window.addEventListener("paste", (event) => take(event.clipboardData?.files ?? []));
}

function useCamera(model) {
  const button = byId("camera");
  if (!camera.allowed()) {
    button.hidden = true;
    byId("snap-label").hidden = false; // the device's own camera program, which needs no permission
    byId("hint").append(" A live camera needs an address with https, or localhost.");
    return;
  }
  button.onclick = async () => {
    button.disabled = true;
    let facing = "environment";
    try {
      while (facing) facing = await camera.watch(model, facing, (picture) => classify(model, "camera", () => picture));
    } catch (error) {
      const why = { NotAllowedError: "The camera was not allowed.", NotFoundError: "There is no camera here." }[error.name];
      say(byId("hint"), why ?? `The camera does not start (${error.name}).`, "bad small");
    }
    button.disabled = false;
  };
}

async function bench(model, proof) {
  const [button, bar, state] = [byId("measure"), byId("progress"), byId("bench-state")];
  byId("stop").click(); // the camera computes too
  button.disabled = true;
  bar.hidden = false;
  try {
    say(state, "Warming up …", "small quiet");
    const picture = checkPicture(640, 480);
    const pixels = pixelsOf(model.facts.preprocess, picture);
    const tell = (share) => {
      bar.value = share;
      if (share) say(state, "Measuring …", "small quiet");
    };
    const latency = await measure(runner(model, pixels), { tell });
    const prepare = await measure(async () => pixelsOf(model.facts.preprocess, picture), { seconds: 1, warmUp: 1 });
    const device = await describeDevice();
    const { facts } = model;
    const result = {
      kind: "linnet device", schema: 1, bundle: facts.name, sha256: facts.model.sha256, runtime: `onnxruntime-web ${facts.ort} wasm`,
      image: facts.preprocess.image, batch: 1, device: { ...device, name: byId("device-name").value.trim() || nameOf(device) }, latency, prepare,
      off: proof.off, time: new Date().toISOString(),
    };
    showResult(result);
    say(state, collected ? await send(result) : "", "small");
  } catch (error) {
    say(state, `It could not be measured (${error.message}).`, "small bad");
  }
  bar.hidden = true;
  button.disabled = false;
  button.textContent = "Measure again";
}

async function send(result) {
  const answer = await fetch("results", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(result),
  }).catch(() => undefined);
  if (answer?.ok) return "The computer has this device's times. Thank you.";
  return `The computer did not take the times (${answer ? await answer.text() : "no answer"}). Copy them below.`;
}

function showResult(result) {
  const ms = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1));
  const { latency } = result;
  showFigures(byId("figures"), [
    ["median", ms(latency.median), "ms"],
    ["p10", ms(latency.p10), "ms"],
    ["p90", ms(latency.p90), "ms"],
    ["p99", ms(latency.p99), "ms"],
    ["pictures", (1000 / latency.median).toFixed(1), "/s"],
    ["scaling a picture", ms(result.prepare.median), "ms"],
  ]);
  const text = JSON.stringify(result, null, 1);
  byId("json").textContent = text;
  byId("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  byId("copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // an address without https has no clipboard: mark the text for a copy by hand
      document.querySelector("#result details").open = true;
      getSelection().selectAllChildren(byId("json"));
      say(byId("bench-state"), "Marked. Copy it with Ctrl+C, or by holding it.", "small");
      return;
    }
    say(byId("bench-state"), "Copied.", "small good");
  };
  byId("result").hidden = false;
}

main().catch((error) => say(byId("state"), `The model could not be started: ${error.message}`, "bad"));
