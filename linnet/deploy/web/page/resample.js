// Scale a part of a picture as Pillow's Image.resize(size, filter, box=box) does, bit for bit.
// Source: Pillow, src/libImaging/Resample.c: weights in double, then fixed point of 22 bits; across first, then down.

const BITS = 22;

const FILTERS = {
  bilinear: { support: 1, at: (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0) },
  bicubic: {
    support: 2,
    at(x) {
      const a = -0.5;
      x = Math.abs(x);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
      return 0;
    },
  },
};

/** For each of `size` new pixels: the first old pixel that it is made of (`starts`), and the whole-number weights. */
function weightsOf(length, from, to, size, filter) {
  const { support, at } = FILTERS[filter];
  const scale = Math.fround(to - from) / size; // Pillow's box is in single precision
  const spread = Math.max(scale, 1);
  const reach = support * spread;
  const starts = new Int32Array(size);
  const weights = [];
  for (let i = 0; i < size; i++) {
    const centre = from + (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const count = Math.min(Math.trunc(centre + reach + 0.5), length) - first;
    const exact = new Float64Array(count);
    let sum = 0;
    for (let j = 0; j < count; j++) {
      exact[j] = at((j + first - centre + 0.5) * (1 / spread));
      sum += exact[j];
    }
    const whole = new Int32Array(count);
    for (let j = 0; j < count; j++) {
      const weight = (sum !== 0 ? exact[j] / sum : exact[j]) * (1 << BITS);
      whole[j] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[i] = first;
    weights.push(whole);
  }
  return { starts, weights };
}

const eightBits = (sum) => Math.min(Math.max(sum >> BITS, 0), 255);

/** Pillow 13 goes down first where the height shrinks by more than twice as many pixels as the width (pull request 9549). */
const downFirst = (width, height, side) => height - side > Math.max(2 * (width - side), 0);

/**
 * One pass over RGB values. `lines` lines are made of `size` new pixels each, an old pixel being `step` values behind the one
 * before it and a line `pitch` behind the one before it; the same of what is made, `madeStep` and `madePitch`.
 */
function pass(values, made, { starts, weights }, lines, offset, step, pitch, madeStep, madePitch) {
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < weights.length; i++) {
      const mine = weights[i];
      let red = 1 << (BITS - 1), green = red, blue = red;
      for (let j = 0, at = offset + line * pitch + starts[i] * step; j < mine.length; j++, at += step) {
        red += values[at] * mine[j];
        green += values[at + 1] * mine[j];
        blue += values[at + 2] * mine[j];
      }
      const to = line * madePitch + i * madeStep;
      made[to] = eightBits(red);
      made[to + 1] = eightBits(green);
      made[to + 2] = eightBits(blue);
    }
  }
  return made;
}

/** The first old pixel that is used, and how many are. */
function span({ starts, weights }) {
  const last = weights.length - 1;
  return [starts[0], starts[last] + weights[last].length - starts[0]];
}

/**
 * `pixels`: Uint8 [height * width * 4], RGBA, of which A is not used. `box`: left, top, right, bottom in pixels.
 * Gives Uint8 [side * side * 3], RGB. Where nothing changes in a direction a weight is one whole pixel, which changes nothing.
 */
export function resize(pixels, width, height, box, side, filter) {
  const [left, top, right, bottom] = box.map(Math.fround);
  const across = weightsOf(width, left, right, side, filter);
  const down = weightsOf(height, top, bottom, side, filter);
  const made = new Uint8Array(side * side * 3);
  if (downFirst(width, height, side)) {
    const [first, count] = span(across);
    const low = new Uint8Array(side * count * 3);
    pass(pixels, low, down, count, 4 * first, 4 * width, 4, 3 * count, 3);
    across.starts.forEach((start, i) => { across.starts[i] = start - first; });
    return pass(low, made, across, side, 0, 3, 3 * count, 3, 3 * side);
  }
  const [first, count] = span(down);
  const narrow = new Uint8Array(count * side * 3);
  pass(pixels, narrow, across, count, 4 * first * width, 4, 4 * width, 3, 3 * side);
  down.starts.forEach((start, i) => { down.starts[i] = start - first; });
  return pass(narrow, made, down, side, 0, 3 * side, 3, 3 * side, 3);
}
