// What is put on the page. All text goes in as text, never as HTML.

import { best } from "./answer.js";

const TOP = 5;

export const byId = (id) => document.getElementById(id);

/** Fill a list with the likeliest classes as bars. */
export function showClasses(list, facts, logits) {
  const found = best(facts, logits);
  const several = facts.labels === "several";
  const said = several ? found.filter((one) => one.share >= 0.5).length : 1;
  list.replaceChildren(
    ...found.slice(0, Math.max(TOP, several ? said : 0)).map((one, place) => {
      const item = document.createElement("li");
      item.style.setProperty("--share", `${100 * one.share}%`);
      if (place < said) item.className = "said";
      item.append(text("span", one.name), text("span", `${(100 * one.share).toFixed(1)} %`, "share"));
      return item;
    }),
  );
}

/** A card for one picture, put before the others; fill it with `answer` or `failed`. */
export function addCard(place, name) {
  const card = document.createElement("figure");
  card.className = "picture";
  const canvas = document.createElement("canvas");
  const caption = document.createElement("figcaption");
  const list = document.createElement("ol");
  list.className = "bars";
  const time = text("span", "…");
  const foot = document.createElement("p");
  foot.className = "file quiet small";
  foot.append(text("span", name), time);
  caption.append(list, foot);
  card.append(canvas, caption);
  place.prepend(card);
  return {
    answer(facts, picture, logits, ms) {
      thumbnail(canvas, picture);
      showClasses(list, facts, logits);
      time.textContent = `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
    },
    failed(why) {
      canvas.remove();
      list.replaceWith(text("p", why, "bad"));
      time.textContent = "";
    },
  };
}

/** The picture in a small canvas: hundreds of large ones would fill a phone's memory. */
function thumbnail(canvas, { data, width, height }) {
  const scale = Math.min(1, 600 / Math.max(width, height));
  const whole = document.createElement("canvas");
  [whole.width, whole.height] = [width, height];
  whole.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  [canvas.width, canvas.height] = [Math.max(1, width * scale), Math.max(1, height * scale)];
  canvas.getContext("2d").drawImage(whole, 0, 0, canvas.width, canvas.height);
}

/** Pairs of a name and a figure in ms. */
export function showFigures(list, figures) {
  list.replaceChildren(
    ...figures.map(([name, value, unit]) => {
      const box = document.createElement("div");
      const figure = text("dd", `${value} `);
      figure.append(text("span", unit, "unit"));
      box.append(text("dt", name), figure);
      return box;
    }),
  );
}

export function say(element, message, kind = "") {
  element.textContent = message;
  element.className = kind;
}

export function text(tag, content, kind = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  if (kind) element.className = kind;
  return element;
}
