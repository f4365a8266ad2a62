// From logits to what is said of a picture.

const LEAST = 2 ** -126; // float32's least normal number: what is below may be 0 here and not there

/** What the file gives as logits, Float64Array where it gives probabilities. */
export function asLogits(facts, answers) {
  if (facts.model.output !== "probabilities") return answers;
  return Float64Array.from(answers, (value) => {
    const share = Math.max(value, LEAST);
    if (facts.labels !== "several") return Math.log(share);
    const below = Math.min(share, 1 - 2 ** -25);
    return Math.log(below) - Math.log1p(-below);
  });
}

/** [{name, share}], the likeliest first. */
export function best(facts, logits) {
  const top = Math.max(...logits);
  let shares;
  if (facts.labels === "several") {
    shares = Array.from(logits, (z) => 1 / (1 + Math.exp(-z)));
  } else {
    const powers = Array.from(logits, (z) => Math.exp(z - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    shares = powers.map((power) => power / sum);
  }
  const order = shares.map((_, c) => c).sort((a, b) => logits[b] - logits[a] || a - b);
  return order.map((c) => ({ name: facts.classes[c], share: shares[c] }));
}
