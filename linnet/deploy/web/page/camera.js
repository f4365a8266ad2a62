// The camera, where the browser allows it: only on https and on localhost.

import { frame } from "./picture.js";
import { boxOf, pixelsOf } from "./preprocess.js";
import { logitsOf } from "./model.js";
import { byId, showClasses } from "./view.js";

export const allowed = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Show the camera and its classes until `stop` or another camera is asked for. Throws what the browser throws. */
export async function watch(model, facing, keep) {
  const video = byId("video");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing }, audio: false });
  let on = true;
  const ended = new Promise((resolve) => {
    const end = (how) => () => { on = false; resolve(how); };
    byId("stop").onclick = end("");
    byId("turn").onclick = end(facing === "user" ? "environment" : "user");
    byId("keep").onclick = () => keep(frame(video, video.videoWidth, video.videoHeight));
    stream.getVideoTracks()[0].onended = end("");
  });
  try {
    video.srcObject = stream;
    byId("live").hidden = false;
    await video.play();
    showSquare(model.facts.preprocess, video);
    while (on) {
      const start = performance.now();
      const picture = frame(video, video.videoWidth, video.videoHeight);
      const logits = await logitsOf(model, pixelsOf(model.facts.preprocess, picture));
      showClasses(byId("live-classes"), model.facts, logits);
      byId("live-time").textContent = `${(performance.now() - start).toFixed(0)} ms a picture, with its preparation`;
      await new Promise(requestAnimationFrame);
    }
    return await ended;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    byId("live").hidden = true;
  }
}

/** Frame the part of the picture that the network sees. */
function showSquare(how, video) {
  const square = byId("square");
  const place = () => {
    const [wide, high] = [video.videoWidth, video.videoHeight];
    if (!wide) return;
    const [left, top, right, bottom] = boxOf(how, wide, high);
    const scale = Math.min(video.clientWidth / wide, video.clientHeight / high);
    const x = video.offsetLeft + (video.clientWidth - wide * scale) / 2;
    const y = video.offsetTop + (video.clientHeight - high * scale) / 2;
    square.style.left = `${x + left * scale}px`;
    square.style.top = `${y + top * scale}px`;
    square.style.width = `${(right - left) * scale}px`;
    square.style.height = `${(bottom - top) * scale}px`;
  };
  place();
  video.onresize = place;
  window.onresize = place;
}
