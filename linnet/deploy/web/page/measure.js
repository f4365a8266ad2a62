// How long one call takes here: warmed up, measured in samples that the browser's coarse clock can tell apart.

/** The step of performance.now(), in ms: 0.005 to 0.1 in Chrome, 1 in Safari and Firefox. */
export function clockStep(now = () => performance.now()) {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = now();
    let end = start;
    while (end === start) end = now();
    least = Math.min(least, end - start);
  }
  return least;
}

/** The value below which a share `q` of the sorted values lies, between neighbours in proportion. */
export function quantile(sorted, q) {
  const place = q * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

const median = (values) => quantile([...values].sort((a, b) => a - b), 0.5);

/** What the samples say, in ms. `drift`: by how much the last third's median lies above the first's, as a share. */
export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const third = Math.max(1, Math.floor(samples.length / 3));
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    least: sorted[0],
    samples: samples.length,
    drift: median(samples.slice(-third)) / median(samples.slice(0, third)) - 1,
  };
}

/**
 * Warm up until three blocks in a row are no faster than the fastest before them by 2 %, or for `warmUp` seconds; then
 * measure for `seconds`. `tell` gets the share that is done. A sample is the mean of as many calls as last 20 clock steps.
 */
export async function measure(call, { seconds = 6, warmUp = 10, tell = () => {}, now = () => performance.now() } = {}) {
  const step = clockStep(now);
  const first = await timed(call, 1, now);
  let fastest = Infinity;
  let still = 0;
  let calls = 1;
  const began = now();
  while (still < 3 && now() - began < 1000 * warmUp) {
    const block = [];
    for (let i = 0; i < 5; i++) block.push(await timed(call, calls, now));
    const middle = median(block);
    calls = Math.max(1, Math.ceil((20 * step) / Math.max(middle, step / 100)));
    still = middle > 0.98 * fastest ? still + 1 : 0;
    fastest = Math.min(fastest, middle);
    await pause();
    tell(0);
  }
  const warmed = (now() - began) / 1000;
  const samples = [];
  const start = now();
  let last = start;
  while (now() - start < 1000 * seconds || samples.length < 10) {
    samples.push(await timed(call, calls, now));
    if (now() - last > 100) {
      tell(Math.min((now() - start) / (1000 * seconds), 1));
      await pause(); // so that the page can be drawn
      last = now();
    }
  }
  return { ...summary(samples), first, warmUpSeconds: warmed, callsPerSample: calls, clockStep: step };
}

async function timed(call, calls, now) {
  const start = now();
  for (let i = 0; i < calls; i++) await call();
  return (now() - start) / calls;
}

const pause = () => new Promise((resolve) => setTimeout(resolve));
