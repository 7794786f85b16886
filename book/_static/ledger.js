/* Search the ledger of claims, and show the claims of one paper or with one verdict. The choice stands in the address. */
"use strict";

(() => {
  const prepare = (ledger) => {
    const boxes = [...ledger.querySelectorAll(":scope > .mff-box")];
    if (boxes.length < 10) return;
    const make = (tag, attributes = {}) => Object.assign(document.createElement(tag), attributes);
    const choose = (name, key) => {
      const select = make("select", { name });
      select.append(make("option", { value: "", textContent: `any ${name}` }));
      [...new Set(boxes.map((box) => box.dataset[key]))].forEach((value) => {
        const count = boxes.filter((box) => box.dataset[key] === value).length;
        select.append(make("option", { value, textContent: `${value} (${count})` }));
      });
      return select;
    };
    const search = make("input", { type: "search", name: "words", placeholder: "words in a claim, its test or its place" });
    search.setAttribute("aria-label", "Search the claims");
    const outcome = choose("verdict", "outcome");
    const paper = choose("paper", "paper");
    [outcome, paper].forEach((select) => select.setAttribute("aria-label", `Filter by ${select.name}`));
    const found = make("output");
    const bar = make("form", { className: "mff-bar", onsubmit: () => false });
    bar.setAttribute("role", "search");
    bar.append(search, outcome, paper, found);
    const controls = [search, outcome, paper];

    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (box) =>
        (!outcome.value || box.dataset.outcome === outcome.value) &&
        (!paper.value || box.dataset.paper === paper.value) &&
        words.every((word) => box.textContent.toLowerCase().includes(word));
      const shown = boxes.filter((box) => {
        box.hidden = !fits(box);
        return !box.hidden;
      });
      found.textContent = `${shown.length} of ${boxes.length} claims`;
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
    window.addEventListener("hashchange", recall); // a link to a claim shows it, whatever was filtered
    ledger.before(bar);
    recall();
  };

  const start = () => document.querySelectorAll(".mff-ledger").forEach(prepare);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
