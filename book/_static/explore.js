/* Sliders for figures of several states: the state of the chosen setting is shown. Without this file the first setting is. */
"use strict";

(() => {
  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };

  const explore = (figure) => {
    const states = [...figure.querySelectorAll(":scope > .mff-state")];
    const at = states.find((state) => !state.hidden).dataset.at.split(",").map(Number);
    const show = () => states.forEach((state) => (state.hidden = state.dataset.at !== at.join()));

    const slider = ([name, positions], axis) => {
      const value = make("output");
      const input = make("input", { type: "range", min: 0, max: positions.length - 1, step: 1, value: at[axis] });
      const say = () => {
        value.textContent = positions[at[axis]];
        input.setAttribute("aria-valuetext", positions[at[axis]]);
      };
      input.addEventListener("input", () => {
        at[axis] = Number(input.value);
        say();
        show();
      });
      say();
      return make("label", {}, `${name} `, input, " ", value);
    };

    /* Pictures of other settings are loaded when the reader reaches for a slider, so that none flashes. */
    const load = () => figure.querySelectorAll("img[loading]").forEach((image) => (image.loading = "eager"));
    const bar = make("div", { className: "mff-bar" }, ...JSON.parse(figure.dataset.sliders).map(slider));
    ["focusin", "pointerenter"].forEach((reach) => bar.addEventListener(reach, load, { once: true }));
    figure.prepend(bar);
    figure.classList.add("mff-live");
  };

  const start = () => document.querySelectorAll(".mff-explore").forEach(explore);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
