// Make an opened page ready for paper, and return its headings. `height` is that of the text on a sheet, in CSS pixels.
async (height) => {
  const article = document.querySelector("article") ?? document.body;
  document.documentElement.dataset.theme = "light";
  // Paper cannot unfold: code that is folded stays in the notebook, and answers, hints and tables are printed.
  article.querySelectorAll("details.hide, details:has(> .highlight)").forEach((code) => code.remove());
  article.querySelectorAll("details").forEach((text) => (text.open = true));
  document.querySelector(".bd-header-announcement")?.remove();
  for (const picture of document.images) picture.loading = "eager";
  await Promise.all([...document.images].map((picture) => picture.decode().catch(() => {})));
  await document.fonts.ready;

  // MathJax writes glyphs that no text shows, so titles are read before it.
  const headings = [...article.querySelectorAll("h1, h2, h3")]
    .filter((heading) => heading.checkVisibility())
    .map((heading) => {
      const copy = heading.cloneNode(true);
      copy.querySelectorAll(".headerlink, mjx-container").forEach((one) => one.replaceWith(one.querySelector("math")?.textContent ?? ""));
      const id = heading.id || heading.closest("section[id]")?.id || "";
      return { level: Number(heading.tagName[1]), title: copy.textContent.replace(/\s+/g, " ").trim(), id };
    });

  // Tables in pages: all rows that one can ask for.
  for (const choice of article.querySelectorAll(".dt-length select")) {
    choice.value = choice.options[choice.options.length - 1].value;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // A grid of the table: the cell that covers each row and column.
  const gridOf = (table) => {
    const grid = [...table.rows].map(() => []);
    [...table.rows].forEach((row, i) => {
      for (const cell of row.cells) {
        let j = 0;
        while (grid[i][j]) j += 1;
        for (let down = 0; down < cell.rowSpan && grid[i + down]; down += 1) {
          for (let right = 0; right < cell.colSpan; right += 1) grid[i + down][j + right] = cell;
        }
      }
    });
    return grid;
  };

  // Columns that name the rows: heads of rows, or else those before the first number.
  const namesOf = (grid) => {
    const isName = (cell) => cell.tagName === "TH" || !/^[\s\d.,+−-]*$|^nan$/i.test(cell.textContent);
    const first = grid.at(-1).findIndex((cell) => !isName(cell));
    return Math.max(first, 0);
  };

  // Blocks of columns of like width, each at most `most` wide, that part where the top heads do.
  const blocksOf = (grid, names, most) => {
    const groups = [];
    for (let j = names; j < grid[0].length; j += 1) {
      if (j > names && grid[0][j] === grid[0][j - 1]) groups.at(-1).columns.push(j);
      else groups.push({ columns: [j], width: 0 });
      groups.at(-1).width += grid.at(-1)[j].getBoundingClientRect().width;
    }
    const packed = (limit) => {
      const blocks = [];
      for (const { columns, width } of groups) {
        const last = blocks.at(-1);
        if (last && last.width + width <= limit) Object.assign(last, { columns: [...last.columns, ...columns], width: last.width + width });
        else blocks.push({ columns, width });
      }
      return blocks;
    };
    const fewest = packed(most).length;
    const total = groups.reduce((sum, group) => sum + group.width, 0);
    let limit = total / fewest;
    while (limit < most && packed(limit).length > fewest) limit += 10;
    return packed(Math.min(limit, most)).map((block) => block.columns);
  };

  // A copy of a table with the columns `kept` only.
  const part = (table, grid, kept) => {
    const copy = table.cloneNode(true);
    [...table.rows].forEach((row, i) => {
      [...row.cells].forEach((cell, k) => {
        const span = kept.filter((j) => grid[i][j] === cell).length;
        const twin = copy.rows[i].querySelectorAll(":scope > th, :scope > td")[k];
        twin.colSpan = span || 1;
        twin.toggleAttribute("data-left-out", !span);
      });
    });
    copy.querySelectorAll("[data-left-out]").forEach((cell) => cell.remove());
    return copy;
  };

  const innerOf = (wide) => (wide.querySelector("tbody, mjx-math") ?? wide).getBoundingClientRect();
  const roomOf = (wide) => article.getBoundingClientRect().right - Math.min(wide.getBoundingClientRect().left, innerOf(wide).left);
  const shrink = (wide) => {
    const needed = Math.max(wide.getBoundingClientRect().width, wide.scrollWidth, innerOf(wide).width);
    return needed > roomOf(wide) + 1 ? roomOf(wide) / needed : 1;
  };

  // What is wider than the text becomes smaller, as a whole. A table that would become hard to read is cut into blocks of columns
  // first, each of which repeats the names of the rows.
  const SMALLEST = 0.85;
  const fit = (...parts) => {
    const scale = Math.min(...parts.map(shrink));
    if (scale < 1) parts.forEach((one) => (one.style.zoom = scale));
  };
  const cut = (table) => {
    const grid = gridOf(table);
    const names = [...Array(namesOf(grid)).keys()];
    const taken = names.reduce((sum, j) => sum + grid.at(-1)[j].getBoundingClientRect().width, 0);
    const parts = blocksOf(grid, names.length, roomOf(table) / SMALLEST - taken).map((block) => part(table, grid, [...names, ...block]));
    parts.slice(1).forEach((copy) => copy.caption?.append(" (continued)"));
    table.replaceWith(...parts);
    return parts;
  };
  for (const wide of article.querySelectorAll("table, mjx-container[display], svg")) {
    if (!wide.checkVisibility() || wide.parentElement.closest("table, svg, mjx-container")) continue;
    fit(...(wide.matches("table") && shrink(wide) < SMALLEST ? cut(wide) : [wide]));
  }

  // So does a figure that is taller than a sheet. It keeps its width in its own pixels, and so its rows of pictures.
  for (const tall of article.querySelectorAll("figure")) {
    const box = tall.getBoundingClientRect();
    const scale = (0.97 * height) / box.height;
    if (scale < 1) Object.assign(tall.style, { width: `${box.width}px`, zoom: scale, marginInline: "auto" });
  }

  // Chromium keeps the place of an anchor only if a link of the same page leads there.
  const places = Object.assign(document.createElement("div"), { hidden: true });
  for (const place of article.querySelectorAll("[id]")) {
    if (!place.closest("svg, mjx-container")) places.append(Object.assign(document.createElement("a"), { href: `#${place.id}` }));
  }
  document.body.append(places);
  return headings;
}
