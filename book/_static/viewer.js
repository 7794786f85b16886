/* Compare the pictures of a figure: side by side, by a swipe, by flickering, or by their difference, all in step.

   Every figure of two or more photographs of one size gets a button. Without this file the figures stay as they are.
   Pixel values come from the picture as the page stores it. A page on disk may not read image files, so a script beside each
   holds the same bytes. */
"use strict";

(() => {
  const MODES = { side: "Side by side", swipe: "Swipe", flicker: "Flicker", difference: "Difference" };
  const HELP =
    "Drag or arrow keys: move · wheel, + and −: zoom · 0: whole picture · 1: one pixel of the picture on one of the screen · " +
    "Space: hide and show B · values are those of the page's copy, whose photographs are compressed";
  const pixels = new Map(); // name of a picture -> promise of its pixels

  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };

  /* ------------------------------------------------------------------------------------------ pixels */

  const waiting = new Map();
  window.mffPicture = (name, data) => waiting.get(name)?.(`data:image/webp;base64,${data}`);

  const readable = (source) =>
    new Promise((resolve, reject) => {
      if (!source.startsWith("file:")) return resolve(source);
      const script = make("script", { src: source.replace(/\.webp$/, ".js"), onerror: reject });
      waiting.set(source.split("/").pop().replace(/\.webp$/, ""), resolve);
      document.head.append(script);
    });

  const readPixels = (source) => {
    if (!pixels.has(source)) {
      pixels.set(
        source,
        readable(source)
          .then((address) => {
            const image = make("img", { src: address });
            return image.decode().then(() => image);
          })
          .then((image) => {
            const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
            const context = canvas.getContext("2d", { willReadFrequently: true });
            context.drawImage(image, 0, 0);
            return (x, y) => context.getImageData(x, y, 1, 1).data.slice(0, 3);
          }),
      );
    }
    return pixels.get(source);
  };

  /* ------------------------------------------------------------------------------------------ viewer */

  class Viewer {
    constructor(gallery) {
      this.cells = [...gallery.querySelectorAll(":scope > .mff-cell")].map((cell) => ({
        label: cell.dataset.label,
        image: cell.querySelector("img.mff-picture"),
      }));
      this.boxes = JSON.parse(gallery.dataset.boxes || "[]");
      this.opener = null;
      this.build(gallery);
    }

    build(gallery) {
      const caption = gallery.closest("figure")?.querySelector("figcaption b")?.textContent ?? "Figure";
      this.dialog = make("dialog", { className: "mff-viewer" });
      this.dialog.setAttribute("aria-label", `Compare the pictures of ${caption}`);
      this.stage = make("div", { className: "mff-stage", tabIndex: 0 });
      this.stage.setAttribute("role", "application");
      this.stage.setAttribute("aria-label", HELP);
      this.panes = ["a", "b"].map((side) => {
        const picture = make("img", { draggable: false, alt: "" });
        const pane = make("div", { className: `mff-pane mff-${side}` }, picture);
        this.stage.append(pane);
        return { pane, picture };
      });
      this.mode = make("select", { onchange: () => this.show() });
      Object.entries(MODES).forEach(([value, text]) => this.mode.append(make("option", { value }, text)));
      this.choices = ["A", "B"].map((name, i) => {
        const select = make("select", { onchange: () => this.show() });
        this.cells.forEach((cell, n) => select.append(make("option", { value: n }, cell.label)));
        select.value = Math.min(i, this.cells.length - 1);
        return select;
      });
      this.amount = make("input", { type: "range", min: 0, max: 100, value: 50, oninput: () => this.show() });
      this.amountLabel = make("label", {}, make("span"), this.amount);
      this.readout = make("output", { className: "mff-readout" });
      const button = (text, action, title = "") => make("button", { type: "button", onclick: action, title }, text);
      const zoom = [
        button("−", () => this.zoomBy(1 / 1.5), "Zoom out"),
        button("+", () => this.zoomBy(1.5), "Zoom in"),
        button("Whole", () => this.fit(), "Show the whole picture"),
        button("1:1", () => this.zoomTo(1), "One pixel of the picture on one of the screen"),
        ...this.boxes.map((box, i) => button(`Box ${i + 1}`, () => this.showBox(box), "Show an outlined part")),
      ];
      this.dialog.append(
        make("div", { className: "mff-bar" }, make("strong", {}, caption), button("Close", () => this.dialog.close())),
        make(
          "div",
          { className: "mff-bar" },
          make("label", {}, "View ", this.mode),
          make("label", {}, "A ", this.choices[0]),
          make("label", {}, "B ", this.choices[1]),
          this.amountLabel,
          make("span", { className: "mff-buttons" }, ...zoom),
        ),
        this.stage,
        this.readout,
        make("p", { className: "mff-help" }, HELP),
      );
      document.body.append(this.dialog);
      this.listen();
    }

    listen() {
      this.dialog.addEventListener("close", () => {
        clearInterval(this.timer);
        this.opener?.focus();
      });
      this.stage.addEventListener("keydown", (event) => this.key(event));
      this.dialog.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.dialog.close(); // the theme takes this key for its search
      });
      this.stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        this.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, this.place(event));
      });
      this.fingers = new Map();
      this.stage.addEventListener("pointerdown", (event) => {
        this.stage.setPointerCapture(event.pointerId);
        this.fingers.set(event.pointerId, event);
      });
      this.stage.addEventListener("pointermove", (event) => this.moved(event));
      ["pointerup", "pointercancel"].forEach((name) =>
        this.stage.addEventListener(name, (event) => this.fingers.delete(event.pointerId)),
      );
      new ResizeObserver(() => this.draw()).observe(this.stage);
    }

    open(index, opener) {
      this.opener = opener;
      const other = this.cells.findIndex((cell) => cell.label === "reference");
      this.choices[0].value = index;
      this.choices[1].value = other >= 0 && other !== index ? other : (index + 1) % this.cells.length;
      this.dialog.showModal();
      this.show();
      requestAnimationFrame(() => this.fit());
      this.stage.focus();
    }

    /* -------------------------------------------------------------------------------------- what is shown */

    show() {
      const mode = this.mode.value;
      clearInterval(this.timer);
      this.stage.dataset.mode = mode;
      this.panes.forEach(({ picture }, i) => {
        const { label, image } = this.cells[this.choices[i].value];
        picture.src = image.src;
        picture.alt = label;
      });
      const uses = { swipe: "Border", difference: "Gain" }[mode];
      this.amountLabel.hidden = !uses;
      this.amountLabel.firstChild.textContent = uses ? `${uses} ` : "";
      const { pane } = this.panes[1];
      pane.style.clipPath = mode === "swipe" ? `inset(0 0 0 ${this.amount.value}%)` : "";
      pane.style.visibility = "";
      this.stage.style.filter = mode === "difference" ? `brightness(${1 + this.amount.value / 5})` : "";
      if (mode === "flicker" && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
        this.timer = setInterval(() => this.flicker(), 600);
      }
      this.draw();
    }

    flicker() {
      const { style } = this.panes[1].pane;
      style.visibility = style.visibility ? "" : "hidden";
      this.say();
    }

    size() {
      const { image } = this.cells[this.choices[0].value];
      return { width: +image.getAttribute("width"), height: +image.getAttribute("height") };
    }

    paneSize() {
      const { width, height } = this.stage.getBoundingClientRect();
      const stacked = height > width; // on a phone, one below the other
      this.stage.classList.toggle("mff-stacked", stacked);
      if (this.mode.value !== "side") return { width, height };
      return stacked ? { width, height: height / 2 } : { width: width / 2, height };
    }

    draw() {
      if (!this.view) return;
      const { width, height } = this.size();
      const { x, y, scale } = this.view;
      const pane = this.paneSize();
      const left = pane.width / 2 - x * scale;
      const top = pane.height / 2 - y * scale;
      this.panes.forEach(({ picture }) => {
        Object.assign(picture.style, { width: `${width * scale}px`, height: `${height * scale}px` });
        picture.style.transform = `translate(${left}px, ${top}px)`;
      });
      this.say();
    }

    /* -------------------------------------------------------------------------------------- zoom and move */

    fit() {
      const { width, height } = this.size();
      const pane = this.paneSize();
      this.view = { x: width / 2, y: height / 2, scale: Math.min(pane.width / width, pane.height / height) };
      this.draw();
    }

    zoomTo(scale, at = this.view) {
      const old = this.view;
      const next = Math.min(32, Math.max(0.05, scale));
      const keep = old.scale / next; // the point under the pointer stays where it is
      this.view = { x: at.x + (old.x - at.x) * keep, y: at.y + (old.y - at.y) * keep, scale: next };
      this.draw();
    }

    zoomBy(factor, at) {
      this.zoomTo(this.view.scale * factor, at);
    }

    showBox([top, left, height, width]) {
      const pane = this.paneSize();
      const scale = 0.9 * Math.min(pane.width / width, pane.height / height);
      this.view = { x: left + width / 2, y: top + height / 2, scale };
      this.draw();
    }

    moveBy(right, down) {
      this.view.x -= right / this.view.scale;
      this.view.y -= down / this.view.scale;
      this.draw();
    }

    place(event) {
      const stage = this.stage.getBoundingClientRect();
      const pane = this.paneSize();
      const left = (event.clientX - stage.left) % pane.width;
      const top = (event.clientY - stage.top) % pane.height;
      const { x, y, scale } = this.view;
      return { x: x + (left - pane.width / 2) / scale, y: y + (top - pane.height / 2) / scale };
    }

    moved(event) {
      const before = this.fingers.get(event.pointerId);
      this.at = this.place(event);
      if (before) {
        const others = [...this.fingers.values()].filter((one) => one.pointerId !== event.pointerId);
        if (others.length) {
          const far = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
          this.zoomBy(far(event) / far(before), this.place(others[0]));
        } else {
          this.moveBy(event.clientX - before.clientX, event.clientY - before.clientY);
        }
        this.fingers.set(event.pointerId, event);
      }
      this.say();
    }

    key(event) {
      const step = 40;
      const actions = {
        ArrowLeft: () => this.moveBy(step, 0),
        ArrowRight: () => this.moveBy(-step, 0),
        ArrowUp: () => this.moveBy(0, step),
        ArrowDown: () => this.moveBy(0, -step),
        "+": () => this.zoomBy(1.5),
        "=": () => this.zoomBy(1.5),
        "-": () => this.zoomBy(1 / 1.5),
        0: () => this.fit(),
        1: () => this.zoomTo(1),
        " ": () => this.flicker(),
      };
      if (!actions[event.key]) return;
      event.preventDefault();
      this.at = null;
      actions[event.key]();
    }

    /* -------------------------------------------------------------------------------------- read-out */

    async say() {
      const { width, height } = this.size();
      const { x, y } = this.at ?? this.view;
      const [column, row] = [Math.floor(x), Math.floor(y)];
      const zoom = `zoom ${(100 * this.view.scale).toFixed(0)} %`;
      if (column < 0 || row < 0 || column >= width || row >= height) {
        this.readout.textContent = zoom;
        return;
      }
      const said = (this.saying = Symbol());
      try {
        const readers = await Promise.all(this.choices.map((choice) => readPixels(this.cells[choice.value].image.src)));
        if (said !== this.saying) return;
        const [a, b] = readers.map((read) => [...read(column, row)]);
        const gap = a.map((value, i) => value - b[i]);
        this.readout.textContent = `column ${column}, row ${row} · A ${a.join(" ")} · B ${b.join(" ")} · A − B ${gap.join(" ")} · ${zoom}`;
      } catch {
        this.readout.textContent = `column ${column}, row ${row} · ${zoom}`;
      }
    }
  }

  /* ------------------------------------------------------------------------------------------ pages */

  const prepare = (gallery) => {
    const cells = [...gallery.querySelectorAll(":scope > .mff-cell")];
    if (cells.length < 2) return;
    let viewer = null;
    const open = (index, opener) => {
      viewer ??= new Viewer(gallery);
      viewer.open(index, opener);
    };
    const button = make("button", { type: "button", className: "mff-compare" }, "Compare the pictures");
    button.addEventListener("click", () => open(0, button));
    gallery.after(button);
    cells.forEach((cell, i) => {
      const image = cell.querySelector("img.mff-picture");
      image.style.cursor = "zoom-in";
      image.addEventListener("click", () => open(i, button));
    });
  };

  const start = () => document.querySelectorAll(".mff-gallery").forEach(prepare);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
