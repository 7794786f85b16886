/* Show what a term means when a reader points at it, reaches it by the keyboard, or taps it; a second tap follows the link. */
"use strict";

(() => {
  const meaning = Object.assign(document.createElement("div"), { className: "mff-meaning", id: "mff-meaning", hidden: true });
  meaning.setAttribute("role", "tooltip");
  let shown = null;

  const hide = () => {
    shown?.removeAttribute("aria-describedby");
    meaning.hidden = true;
    shown = null;
  };
  const show = (term) => {
    if (shown === term) return;
    hide();
    shown = term;
    meaning.textContent = term.dataset.meaning;
    meaning.hidden = false;
    term.setAttribute("aria-describedby", meaning.id);
    const [place, room] = [term.getBoundingClientRect(), document.documentElement.clientWidth];
    meaning.style.left = `${Math.max(8, Math.min(place.left, room - meaning.offsetWidth - 8)) + scrollX}px`;
    const below = place.bottom + meaning.offsetHeight + 8 < innerHeight || place.top < meaning.offsetHeight + 8;
    meaning.style.top = `${(below ? place.bottom + 4 : place.top - meaning.offsetHeight - 4) + scrollY}px`;
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(meaning);
    for (const term of document.querySelectorAll("a.mff-term[title]")) {
      term.dataset.meaning = term.title;
      term.removeAttribute("title");
      let touched = false;
      term.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(term));
      term.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
      term.addEventListener("focus", () => !touched && show(term));
      term.addEventListener("blur", hide);
      term.addEventListener("pointerdown", (event) => (touched = event.pointerType === "touch"));
      term.addEventListener("click", (event) => {
        if (touched && shown !== term) {
          event.preventDefault();
          show(term);
        }
        touched = false;
      });
    }
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    document.addEventListener("pointerdown", (event) => shown && !event.target.closest("a.mff-term") && hide());
  });
})();
