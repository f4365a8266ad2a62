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

/** `logitsOf`: pixels to logits. Gives whether the pixels are the same, and how far the logits are off as a share of their spread. */
export async function check(facts, logitsOf) {
  const { width, height, pixels, logits, allowed } = facts.check;
  const made = pixelsOf(facts.preprocess, checkPicture(width, height));
  const samePixels = pixelSum(made) === pixels;
  const found = await logitsOf(made);
  const spread = Math.max(...logits) - Math.min(...logits) || 1;
  const off = logits.reduce((most, wanted, c) => Math.max(most, Math.abs(wanted - found[c])), 0) / spread;
  return { samePixels, off, passed: samePixels && found.length === logits.length && off <= allowed };
}
