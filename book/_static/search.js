/* Find sections, claims, terms and API entries that hold all words of the query; sections.js has them. */
"use strict";

(() => {
  const MOST = 60;
  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };
  const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  const count = (text, word) => text.split(word).length - 1;

  /** How well an entry fits; 0 where a word is missing. */
  const score = ([, , page, title, words], query) => {
    const [head, body] = [plain(title), plain(words)];
    if (!query.every((word) => head.includes(word) || body.includes(word))) return 0;
    const named = query.filter((word) => head.includes(word)).length;
    const exact = head === query.join(" ") ? 100 : 0;
    const often = query.reduce((sum, word) => sum + Math.min(5, count(body, word)), 0);
    return exact + 20 * named + (query.some((word) => plain(page).includes(word)) ? 5 : 0) + often / Math.sqrt(1 + body.length / 500);
  };

  const marked = (text, query) => {
    const words = query.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return text.split(new RegExp(`(${words.join("|")})`, "gi")).map((part, i) => (i % 2 ? make("mark", { textContent: part }) : part));
  };

  /** The words around the first hit, with all hits marked. */
  const excerpt = (words, query) => {
    const body = plain(words).length === words.length ? plain(words) : words.toLowerCase();
    const first = Math.min(...query.map((word) => body.indexOf(word)).filter((at) => at >= 0), body.length);
    const start = first < 100 || first === body.length ? 0 : words.indexOf(" ", first - 90) + 1;
    const shown = marked(words.slice(start, start + 240), query);
    return make("p", {}, start ? "… " : "", ...shown, start + 240 < words.length ? " …" : "");
  };

  const search = (place, text) => {
    const query = plain(text).split(/\s+/).filter(Boolean);
    const hits = query.length
      ? window.mffSections
          .map((entry) => [score(entry, query), entry])
          .filter(([fit]) => fit > 0)
          .sort((a, b) => b[0] - a[0])
      : [];
    const say = make("p", { role: "status" });
    say.textContent = !query.length
      ? "Type words to search for."
      : hits.length
        ? `${hits.length} places hold ${query.length > 1 ? "all of these words" : "this word"}${hits.length > MOST ? `; the best ${MOST} are shown` : ""}.`
        : "Nothing in the book holds all of these words; try fewer of them.";
    const list = make("ul", { className: "mff-hits" });
    for (const [, [file, anchor, page, title, words]] of hits.slice(0, MOST)) {
      const link = make("a", { href: `${file}#${anchor}` }, ...marked(title || page, query));
      list.append(make("li", {}, link, title && title !== page ? make("small", { textContent: ` ${page}` }) : "", excerpt(words, query)));
    }
    place.replaceChildren(say, list);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("search-results");
    const field = document.querySelector(".bd-article-container form.bd-search input[name=q], main form.bd-search input[name=q]");
    const asked = new URLSearchParams(location.search).get("q") ?? "";
    field.value = asked;
    search(place, asked);
    field.addEventListener("input", () => search(place, field.value));
  });
})();
