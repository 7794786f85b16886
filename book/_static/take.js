/* Let wide tables, charts and formulas scroll, with a cue that there is more; hand out tables as CSV and charts as files. */
"use strict";

(() => {
  const SCROLLING = ".mff-scroll, .mff-wide, div.math";
  const watched = new WeakSet();

  const csv = (table) => {
    const cell = (element) => {
      const text = element.innerText.trim().replaceAll("−", "-");
      return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const rows = [...table.rows].map((row) => [...row.cells].flatMap((one) => [cell(one), ...Array(one.colSpan - 1).fill("")]));
    return rows.map((row) => row.join(",")).join("\r\n") + "\r\n";
  };

  const cue = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("mff-more-left", box.scrollLeft > 2);
    box.classList.toggle("mff-more-right", hidden - box.scrollLeft > 2);
    if (hidden > 2) Object.assign(box, { tabIndex: 0 });
  };

  const watch = (box) => {
    if (watched.has(box)) return;
    watched.add(box);
    box.addEventListener("scroll", () => cue(box), { passive: true });
    new ResizeObserver(() => cue(box)).observe(box);
  };

  const prepare = (table) => {
    const caption = table.caption?.innerText ?? "Table";
    const box = Object.assign(document.createElement("div"), { className: "mff-scroll" });
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", caption);
    table.replaceWith(box);
    box.append(table);
    watch(box);
    if (!table.caption) return;
    const link = Object.assign(document.createElement("a"), { textContent: "Download as CSV", href: "#" });
    link.download = `${document.title.split(" ")[0]}-${table.caption.innerText.split(".")[0]}.csv`.replace(/[^\w.-]+/g, "-");
    link.addEventListener("click", () => {
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
    });
    const line = Object.assign(document.createElement("p"), { className: "mff-take" });
    line.append(link);
    box.after(line);
  };

  const offer = (figure) => {
    const pictures = figure.querySelectorAll("img.mff-picture");
    if (pictures.length !== 1 || figure.querySelector(".mff-gallery")) return;
    const [name, kind] = pictures[0].src.split("/").pop().split(".");
    const link = Object.assign(document.createElement("a"), { textContent: `Download as ${kind.toUpperCase()}`, href: pictures[0].src });
    link.download = `${document.title.split(" ")[0]}-${figure.id || name}.${kind}`.replace(/[^\w.-]+/g, "-");
    const line = Object.assign(document.createElement("p"), { className: "mff-take" });
    line.append(link);
    figure.append(line);
  };

  const start = () => {
    document.querySelectorAll(".bd-article .cell_output table:not(.dataTable):not(.dataTable *)").forEach(prepare);
    const article = document.querySelector(".bd-article");
    if (!article) return;
    const search = (root) => root.querySelectorAll(SCROLLING).forEach(watch);
    search(article);
    new MutationObserver((changes) => {
      const added = changes.flatMap((change) => [...change.addedNodes]);
      added.filter((node) => node instanceof Element).forEach((node) => search(node.parentElement ?? node));
    }).observe(article, { childList: true, subtree: true }); // other scripts draw tables later
    document.querySelectorAll(".bd-article .cell_output figure").forEach(offer);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
