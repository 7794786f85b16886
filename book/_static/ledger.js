/* Search a list of boxes, such as the ledger of claims, and filter it by what its boxes say. The choice stands in the address. */
"use strict";

(() => {
  const prepare = (ledger) => {
    const boxes = [...ledger.querySelectorAll(":scope > .mff-box")];
    if (boxes.length < 10) return;
    const make = (tag, attributes = {}) => Object.assign(document.createElement(tag), attributes);
    const values = (box, key) => box.dataset[key].split(";").filter(Boolean);
    const { noun, hint } = ledger.dataset;
    const choose = (name, key) => {
      const select = make("select", { name });
      select.setAttribute("aria-label", `Filter by ${name}`);
      select.append(make("option", { value: "", textContent: `any ${name}` }));
      const all = boxes.flatMap((box) => values(box, key));
      [...new Set(all)].forEach((value) => {
        const count = all.filter((one) => one === value).length;
        select.append(make("option", { value, textContent: `${value} (${count})` }));
      });
      return [select, key];
    };
    const search = make("input", { type: "search", name: "words", placeholder: hint });
    search.setAttribute("aria-label", `Search the ${noun}`);
    const choices = ledger.dataset.filters.split(" ").map((one) => choose(...one.split("=")));
    const found = make("output");
    const bar = make("form", { className: "mff-bar", onsubmit: () => false });
    bar.setAttribute("role", "search");
    const controls = [search, ...choices.map(([select]) => select)];
    bar.append(...controls, found);

    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (box) =>
        choices.every(([select, key]) => !select.value || values(box, key).includes(select.value)) &&
        words.every((word) => box.textContent.toLowerCase().includes(word));
      const shown = boxes.filter((box) => {
        box.hidden = !fits(box);
        return !box.hidden;
      });
      found.textContent = `${shown.length} of ${boxes.length} ${noun}`;
    };
    const remember = () => {
      const state = new URLSearchParams(controls.filter((one) => one.value).map((one) => [one.name, one.value]));
      history.replaceState(null, "", state.size ? `#?${state}` : location.pathname + location.search);
      show();
    };
    const recall = () => {
      const state = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
      controls.forEach((one) => (one.value = state.get(one.name) ?? ""));
      show();
    };
    controls.forEach((one) => one.addEventListener("input", remember));
    window.addEventListener("hashchange", recall); // a link to a box shows it, whatever was filtered
    ledger.before(bar);
    recall();
  };

  const start = () => document.querySelectorAll(".mff-ledger").forEach(prepare);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
