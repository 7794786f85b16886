/* Wide tables whose columns come in groups, such as three for each metric, get a button for each group. Print shows all. */
"use strict";

(() => {
  const LEAST = 9; // columns that make a table wide

  /** The column in which each cell begins. */
  const places = (table) => {
    const taken = []; // by column: rows that a cell from above still covers
    const found = new Map();
    for (const row of table.rows) {
      let column = 0;
      for (const cell of row.cells) {
        while (taken[column] > 0) taken[column++] -= 1;
        found.set(cell, column);
        for (let i = 0; i < cell.colSpan; i += 1) taken[column++] = cell.rowSpan - 1;
      }
      for (; column < taken.length; column += 1) if (taken[column] > 0) taken[column] -= 1;
    }
    return found;
  };

  const prepare = (table) => {
    const [first, second] = table.tHead?.rows ?? [];
    if (!second) return;
    const at = places(table);
    const groups = [...first.cells].filter((cell) => cell.colSpan > 1);
    const columns = [...first.cells].reduce((sum, cell) => sum + cell.colSpan, 0);
    if (groups.length < 3 || columns < LEAST) return;
    const begin = at.get(groups[0]);
    const bar = Object.assign(document.createElement("div"), { className: "mff-buttons" });
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Columns of ${table.caption?.innerText.split(".")[0] ?? "the table"}`);

    const show = (group) => {
      const [from, to] = group ? [at.get(group), at.get(group) + group.colSpan] : [begin, columns];
      at.forEach((column, cell) => cell.classList.toggle("mff-away", column >= begin && (column < from || column >= to)));
      [...bar.children].forEach((button, i) => button.setAttribute("aria-pressed", String((groups[i - 1] ?? null) === group)));
      table.parentElement.dispatchEvent(new Event("scroll")); // there may be more or less to scroll to
    };
    for (const group of [null, ...groups]) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "mff-tab" });
      button.textContent = group ? group.innerText.trim() : "all";
      button.addEventListener("click", () => show(group));
      bar.append(button);
    }
    (table.closest(".mff-scroll") ?? table).before(bar);
    show(table.offsetWidth > 2 * bar.offsetWidth ? groups[0] : null);
  };

  const start = () => document.querySelectorAll(".bd-article .cell_output table:not(.dataTable, .dataTable *)").forEach(prepare);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
