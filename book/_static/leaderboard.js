/* Rank the methods again: by other metrics, on other pairs, without some methods.

   The ranking is that of mffrepro.report.ranks: in each stack every metric ranks the methods, the mean of these ranks is ranked
   again, and the score is the mean over the stacks. Whiskers are bootstrap intervals over the stacks. Methods whose scores differ
   by less than Nemenyi's critical difference are marked in the matrix. The choice stands in the address. */
"use strict";

(() => {
  const DRAWS = 1000;
  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };

  /* ----------------------------------------------------------------------------------------- numbers */

  /** Rank numbers, the smallest first; equal ones share the mean of their ranks. */
  const rank = (values) => {
    const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
    const ranks = Array(values.length);
    for (let start = 0; start < order.length; ) {
      let end = start;
      while (end + 1 < order.length && Math.abs(values[order[end + 1]] - values[order[start]]) < 1e-9) end += 1;
      for (let i = start; i <= end; i += 1) ranks[order[i]] = (start + end) / 2 + 1;
      start = end + 1;
    }
    return ranks;
  };

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  /** Random numbers from a seed, so that the same choice shows the same intervals (mulberry32). */
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  /** Rank the chosen methods: rows of name, score and interval, best first, and the critical difference. */
  const standings = (data, choice) => {
    const known = (m) => choice.metrics.some((k) => choice.stacks.some((s) => data.ranks[k][s][m] !== null));
    const methods = choice.methods.filter(known);
    const blocks = choice.stacks
      .map((s) => choice.metrics.map((k) => methods.map((m) => data.ranks[k][s][m])))
      .filter((rows) => rows.every((row) => row.every((value) => value !== null)))
      .map((rows) => rows.map(rank))
      .map((rows) => rank(methods.map((_, i) => mean(rows.map((row) => row[i])))));
    if (!blocks.length || methods.length < 2) return { rows: [], critical: NaN, stacks: blocks.length };
    const next = random(1);
    const draws = Array.from({ length: DRAWS }, () => blocks.map(() => blocks[Math.floor(next() * blocks.length)]));
    const rows = methods.map((m, i) => {
      const ends = draws.map((drawn) => mean(drawn.map((block) => block[i]))).sort((a, b) => a - b);
      const [low, high] = [ends[Math.floor(0.025 * DRAWS)], ends[Math.ceil(0.975 * DRAWS) - 1]];
      return { ...data.methods[m], score: mean(blocks.map((block) => block[i])), low, high };
    });
    const count = methods.length;
    const critical = data.studentized[count - 2] * Math.sqrt((count * (count + 1)) / (6 * blocks.length));
    return { rows: rows.sort((a, b) => a.score - b.score), critical, stacks: blocks.length };
  };

  /* ------------------------------------------------------------------------------------------- page */

  const time = (seconds) => {
    if (seconds === null) return "–";
    return seconds < 0.01 ? `${(1000 * seconds).toPrecision(2)} ms` : `${seconds < 10 ? seconds.toPrecision(2) : Math.round(seconds)} s`;
  };

  const whisker = (row, count) => {
    const x = (value) => (100 * (value - 1)) / Math.max(count - 1, 1);
    const drawn =
      `<line x1="${x(row.low)}" x2="${x(row.high)}" y1="5" y2="5" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke"/>` +
      `<line x1="${x(row.score)}" x2="${x(row.score)}" y1="1" y2="9" stroke="#d9622b" stroke-width="3" vector-effect="non-scaling-stroke"/>`;
    return `<svg class="mff-whisker" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${drawn}</svg>`;
  };

  class Board {
    constructor(element) {
      this.data = JSON.parse(element.querySelector("script").textContent);
      this.element = element;
      const { data } = this;
      this.metrics = data.metrics.map(({ name, family }) => ({ name, group: family }));
      this.methods = data.methods.map(({ name, kind }) => ({ name, group: kind === "network" ? "networks" : "classical" }));
      this.stacks = data.stacks.map((name) => ({ name, group: name.startsWith("lytro") ? "Lytro" : "others" }));
      this.boxes = {};
      element.append(
        this.fieldset("metrics", "Metrics", this.metrics),
        this.folded("methods", "Methods", this.methods),
        this.folded("stacks", "Pairs", this.stacks),
      );
      const copy = make("button", { type: "button", onclick: () => this.save() }, "Download as CSV");
      const reset = make("button", { type: "button", onclick: () => this.reset() }, "As recommended");
      this.said = make("output", { style: "font-size:0.85rem" });
      this.table = make("div");
      this.matrix = make("div");
      element.append(make("div", { className: "mff-bar" }, reset, copy, this.said), this.table, this.matrix);
      window.addEventListener("hashchange", () => this.recall());
      this.recall();
    }

    fieldset(kind, title, items) {
      const groups = [...new Set(items.map((item) => item.group))];
      const field = make("fieldset", {}, make("legend", {}, title));
      this.boxes[kind] = items.map((item, i) => make("input", { type: "checkbox", value: i, onchange: () => this.remember() }));
      groups.forEach((group) => {
        const members = items.flatMap((item, i) => (item.group === group ? [i] : []));
        const all = make("button", { type: "button", title: `Choose all or none of ${group}` }, group);
        all.onclick = () => {
          const on = members.every((i) => this.boxes[kind][i].checked);
          members.forEach((i) => (this.boxes[kind][i].checked = !on));
          this.remember();
        };
        const labels = members.map((i) => make("label", {}, this.boxes[kind][i], ` ${items[i].name}`));
        field.append(make("div", { role: "group", ariaLabel: group }, all, " ", ...labels));
      });
      return field;
    }

    folded(kind, title, items) {
      return make("details", {}, make("summary", {}, title), this.fieldset(kind, title, items));
    }

    choice() {
      const checked = (kind) => this.boxes[kind].flatMap((box, i) => (box.checked ? [i] : []));
      return { metrics: checked("metrics"), methods: checked("methods"), stacks: checked("stacks") };
    }

    /** Tick the boxes of a choice; what it does not name is as recommended. */
    tick(named) {
      const usual = { metrics: this.data.chosen, methods: null, stacks: null };
      Object.entries(this.boxes).forEach(([kind, boxes]) => {
        const names = named[kind] ?? usual[kind];
        boxes.forEach((box, i) => (box.checked = !names || names.includes(this[kind][i].name)));
      });
      this.show();
    }

    reset() {
      history.replaceState(null, "", location.pathname + location.search);
      this.tick({});
    }

    remember() {
      const state = new URLSearchParams();
      const choice = this.choice();
      Object.entries(choice).forEach(([kind, members]) => {
        const names = members.map((i) => this[kind][i].name);
        const usual = kind === "metrics" ? this.data.chosen : this[kind].map((item) => item.name);
        if (names.join() !== usual.join()) state.set(kind, names.join(" "));
      });
      history.replaceState(null, "", state.size ? `#?${state}` : location.pathname + location.search);
      this.show();
    }

    recall() {
      const state = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
      this.tick(Object.fromEntries([...state].map(([kind, names]) => [kind, names.split(" ")])));
    }

    show() {
      const { rows, critical, stacks } = standings(this.data, this.choice());
      this.rows = rows;
      this.said.textContent = rows.length
        ? `${rows.length} methods, ${stacks} pairs; critical difference ${critical.toFixed(1)}`
        : "choose at least one metric, one pair and two methods";
      const table = make("table", {}, make("caption", {}, "Mean ranks by your choice"));
      table.createTHead().append(
        make("tr", {}, ...["", "method", "mean rank", "95 % interval", "", "seconds"].map((text) => make("th", { scope: "col" }, text))),
      );
      const body = table.createTBody();
      rows.forEach((row, i) => {
        const drawn = make("td", { innerHTML: whisker(row, rows.length) });
        const cells = [`${i + 1}`, row.name, row.score.toFixed(2), `${row.low.toFixed(1)} to ${row.high.toFixed(1)}`, drawn, time(row.seconds)];
        body.append(make("tr", {}, ...cells.map((cell) => (typeof cell === "string" ? make("td", {}, cell) : cell))));
      });
      const box = make("div", { className: "mff-scroll", tabIndex: 0, style: "max-height:30em;overflow:auto" }, table);
      this.table.replaceChildren(...(rows.length ? [box] : []));
      this.matrix.replaceChildren(...(rows.length ? [this.groups(rows, critical)] : []));
    }

    groups(rows, critical) {
      const table = make("table", { className: "mff-matrix" });
      rows.forEach((row) => {
        const line = table.insertRow();
        line.append(make("th", { scope: "row" }, row.name));
        rows.forEach((other) => {
          const same = Math.abs(row.score - other.score) < critical;
          line.append(make("td", { className: same ? "mff-same" : "mff-apart", title: `${row.name} and ${other.name}` }));
        });
      });
      const text = "Which methods can be told apart? Orange: too few pairs to say. Columns are in the order of the rows.";
      return make("details", {}, make("summary", {}, text), make("div", { className: "mff-scroll", tabIndex: 0 }, table));
    }

    save() {
      const head = "method,mean rank,low,high,seconds";
      const lines = this.rows.map((row) => [row.name, row.score, row.low, row.high, row.seconds ?? ""].join(","));
      const blob = new Blob([[head, ...lines].join("\r\n") + "\r\n"], { type: "text/csv" });
      const link = make("a", { href: URL.createObjectURL(blob), download: "leaderboard.csv" });
      link.click();
      URL.revokeObjectURL(link.href);
    }
  }

  const start = () => document.querySelectorAll(".mff-board").forEach((element) => (element.board = new Board(element)));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
