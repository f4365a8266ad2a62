// From a decoded picture to what the network takes, as linnet/data/preprocess.py does it. `how` is the bundle's "preprocess".

import { resize } from "./resample.js";

/** Python's round: a half goes to the even neighbour. */
const round = (x) => (x % 1 === 0.5 || x % 1 === -0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The part of a picture of width x height pixels that becomes the square: left, top, right, bottom. */
export function boxOf(how, width, height) {
  if (how.mode === "squash") return [0, 0, width, height];
  const target = Math.floor(how.image / how.crop);
  const short = Math.min(width, height);
  const wide = Math.trunc((target * width) / short);
  const high = Math.trunc((target * height) / short);
  const left = round((wide - how.image) / 2);
  const top = round((high - how.image) / 2);
  const [x, y] = [width / wide, height / high];
  return [left * x, top * y, Math.min((left + how.image) * x, width), Math.min((top + how.image) * y, height)];
}

/** `picture`: an ImageData, or anything with its data (RGBA), width and height. Gives Uint8 [image * image * 3], RGB. */
export function pixelsOf(how, { data, width, height }) {
  return resize(data, width, height, boxOf(how, width, height), how.image, how.interpolation);
}

/** (pixels / 255 - mean) / std: Uint8 [image * image * 3] to Float32 [3 * image * image], in the order of `channels`. */
export function normalise(how, pixels) {
  const area = pixels.length / 3;
  const made = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const scale = Math.fround(1 / (255 * how.std[channel]));
    const shift = Math.fround(how.mean[channel] / how.std[channel]);
    const from = how.channels === "BGR" ? 2 - channel : channel;
    for (let i = 0; i < area; i++) {
      made[channel * area + i] = Math.fround(pixels[3 * i + from] * scale) - shift;
    }
  }
  return made;
}
