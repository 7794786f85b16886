/* On a phone, the tables and figures of some sections would be many screens long: they are folded, and open by a button, while the
   text around them stays. A link to what is folded, a search in the page, and print open them too. */
"use strict";

(() => {
  const PHONE = matchMedia("screen and (max-width: 600px)");
  const LONG = 2; // screens that the outputs of a section may take before they are folded
  const KINDS = { table: ".cell_output table", figure: ".cell_output figure", verdict: ".mff-box" };
  const folded = []; // of each section: the cells and their button

  const show = ({ cells, button }, open) => {
    for (const cell of cells) {
      if (open) cell.removeAttribute("hidden");
      else cell.setAttribute("hidden", "until-found");
    }
    button.setAttribute("aria-expanded", String(open));
    button.textContent = `${open ? "Hide" : "Show"} ${button.held}`;
  };

  const fold = (cells) => {
    const held = Object.entries(KINDS)
      .map(([kind, selector]) => [cells.flatMap((cell) => [...cell.querySelectorAll(selector)]).length, kind])
      .filter(([count]) => count)
      .map(([count, kind]) => `${count} ${kind}${count > 1 ? "s" : ""}`);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "mff-fold mff-tab" });
    button.held = held.join(", ") || "outputs";
    const one = { cells, button };
    button.addEventListener("click", () => show(one, button.getAttribute("aria-expanded") !== "true"));
    cells.forEach((cell) => cell.addEventListener("beforematch", () => show(one, true)));
    cells[0].before(button);
    folded.push(one);
    show(one, false);
  };

  const foldLong = () => {
    for (const section of document.querySelectorAll(".bd-article section")) {
      const cells = [...section.querySelectorAll(":scope > .cell")].filter((cell) => cell.querySelector(".cell_output"));
      const height = cells.reduce((sum, cell) => sum + cell.offsetHeight, 0);
      if (height > LONG * innerHeight) fold(cells);
    }
    goTo();
  };

  /** Open what holds the target of a link. */
  const goTo = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const around = target && folded.find(({ cells }) => cells.some((cell) => cell.contains(target)));
    if (around) show(around, true);
    if (target && folded.length) target.scrollIntoView();
  };

  const openAll = () => folded.forEach((one) => show(one, true));
  const changed = () => {
    if (PHONE.matches && !folded.length) foldLong();
    if (!PHONE.matches) openAll();
  };

  document.addEventListener("DOMContentLoaded", () => setTimeout(changed)); // after the scripts that shorten wide tables
  PHONE.addEventListener("change", changed);
  addEventListener("hashchange", goTo);
  addEventListener("beforeprint", openAll);
})();
