// From logits to what is said of a picture.

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
