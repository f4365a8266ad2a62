// Whether this browser prepares and computes as the proven model did. linnet/deploy/web/check.py is the other half.

import { pixelsOf } from "./preprocess.js";

/** The picture that a page is checked with, an ImageData's fields. */
export function checkPicture(width, height) {
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        data[(y * width + x) * 4 + channel] = (x * (channel + 2) + y * (5 - channel) + ((x * y) % 97)) % 256;
      }
    }
  }
  return { data, width, height };
}

/** One number in which every value and its place counts. */
export const pixelSum = (pixels) => pixels.reduce((sum, value, i) => (sum + value * ((i % 251) + 1)) % 2 ** 31, 0);

/** `answersOf`: pixels to what the file gives. Tells whether the pixels are the same, and how far the answers are off: logits as a
 * share of their spread, probabilities of the largest. */
export async function check(facts, answersOf) {
  const { width, height, pixels, answers, allowed } = facts.check;
  const made = pixelsOf(facts.preprocess, checkPicture(width, height));
  const samePixels = pixelSum(made) === pixels;
  const found = await answersOf(made);
  const least = facts.model.output === "probabilities" ? 0 : Math.min(...answers);
  const spread = Math.max(...answers) - least || 1;
  const off = answers.reduce((most, wanted, c) => Math.max(most, Math.abs(wanted - found[c])), 0) / spread;
  return { samePixels, off, passed: samePixels && found.length === answers.length && off <= allowed };
}
