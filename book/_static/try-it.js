/* Fuse photographs in the page: read the files, check them, let a network decide in a worker, show, score and hand out the result. */
"use strict";

(() => {
  const GRAY = [0.2125, 0.7154, 0.0721]; // what the networks see
  const LEVELS = [0.298936021293775, 0.587043074451121, 0.114020904255103]; // what the metrics see
  const MOST_MEMORY = 3.8e9; // bytes: a page may have 4 GB
  const STEP = 8; // the network that sees all photographs at once takes sides that are multiples of it
  const LEAST_SIDE = 32;
  const CHECK_SIDE = 192; // copies on which the alignment is checked
  const REACH = 8; // how far it looks there, in their pixels
  const NOTICEABLE = 1.5; // pixels of the full images

  // ------------------------------------------------------------------------------------------------ pixels

  class Refused extends Error {}

  const bitsOf = async (file) => {
    const head = new DataView(await file.slice(0, 26).arrayBuffer());
    return head.byteLength > 25 && head.getUint32(0) === 0x89504e47 ? head.getUint8(24) : 8; // PNG says how deep it is
  };

  const decode = async (file) => {
    try {
      const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
      return await createImageBitmap(file, options);
    } catch {
      throw new Refused(`${file.name} cannot be read by this browser; save it as JPEG or PNG`);
    }
  };

  const pixelsOf = (bitmap, width, height) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  };

  const read = async (files, most) => {
    if (files.length < 2) throw new Refused("one photograph is sharp where it is sharp; choose two or more of the same scene");
    const bitmaps = [];
    for (const file of files) bitmaps.push(await decode(file));
    const [{ width, height }] = bitmaps;
    const odd = bitmaps.findIndex((one) => one.width !== width || one.height !== height);
    if (odd > 0) {
      const size = `${bitmaps[odd].width}x${bitmaps[odd].height}, ${files[0].name} ${width}x${height}`;
      throw new Refused(`${files[odd].name} has ${size} pixels; give photographs of one size`);
    }
    if (Math.min(width, height) < LEAST_SIDE) throw new Refused(`${width}x${height} pixels are too few; ${LEAST_SIDE} a side are needed`);
    const scale = Math.min(1, Math.sqrt(most / (width * height)));
    const size = { width: Math.max(LEAST_SIDE, Math.round(width * scale)), height: Math.max(LEAST_SIDE, Math.round(height * scale)) };
    const notes = [];
    if (scale < 1) notes.push(`Scaled from ${width}x${height} to ${size.width}x${size.height} pixels.`);
    if ((await Promise.all(files.map(bitsOf))).some((bits) => bits > 8)) notes.push("Fused with 8 bits; the files have 16.");
    const images = bitmaps.map((bitmap) => pixelsOf(bitmap, size.width, size.height));
    bitmaps.forEach((bitmap) => bitmap.close());
    return { images, ...size, notes };
  };

  /** Weigh the channels of RGBA bytes to gray in [0, 1]. */
  const grayOf = (pixels) => {
    const gray = new Float32Array(pixels.length / 4);
    for (let i = 0; i < gray.length; i++) {
      gray[i] = (GRAY[0] * pixels[4 * i] + GRAY[1] * pixels[4 * i + 1] + GRAY[2] * pixels[4 * i + 2]) / 255;
    }
    return gray;
  };

  /** Mix images by their shares; alpha stays opaque. */
  const mix = (images, shares) => {
    const mixed = new Uint8ClampedArray(images[0].length).fill(255);
    for (let i = 0; i < shares[0].length; i++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0.5;
        for (let n = 0; n < images.length; n++) sum += shares[n][i] * images[n][4 * i + c];
        mixed[4 * i + c] = Math.floor(sum);
      }
    }
    return mixed;
  };

  // ------------------------------------------------------------------------------------------------ metrics

  const levelsOf = (pixels) => {
    const levels = new Float64Array(pixels.length / 4);
    for (let i = 0; i < levels.length; i++) {
      levels[i] = Math.floor(LEVELS[0] * pixels[4 * i] + LEVELS[1] * pixels[4 * i + 1] + LEVELS[2] * pixels[4 * i + 2] + 0.5);
    }
    return levels;
  };

  /** Sobel gradient with zero border: strength and orientation. */
  const edgesOf = (levels, width, height) => {
    const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : levels[y * width + x]);
    const strength = new Float64Array(levels.length);
    const angle = new Float64Array(levels.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [a, b, c] = [at(y - 1, x - 1), at(y - 1, x), at(y - 1, x + 1)];
        const [d, e] = [at(y, x - 1), at(y, x + 1)];
        const [f, g, h] = [at(y + 1, x - 1), at(y + 1, x), at(y + 1, x + 1)];
        const [across, down] = [c + 2 * e + h - a - 2 * d - f, f + 2 * g + h - a - 2 * b - c];
        strength[y * width + x] = Math.hypot(across, down);
        angle[y * width + x] = Math.atan(down / (across === 0 ? 1e-5 : across));
      }
    }
    return { strength, angle };
  };

  const sigmoid = (top, slope, middle, x) => top / (1 + Math.exp(-slope * (x - middle)));

  /** The share of the sources' edges that the fused image keeps (Xydeas and Petrovic, classic constants). */
  const qabf = (sources, fused, width, height) => {
    const f = edgesOf(fused, width, height);
    const strength = f.strength.slice();
    let [kept, all] = [0, 0];
    for (const source of sources) {
      const s = edgesOf(source, width, height);
      for (let i = 0; i < strength.length; i++) {
        const [weight, ours] = [s.strength[i] || 1e-5, strength[i] || 1e-5];
        const ratio = s.strength[i] > strength[i] ? strength[i] / weight : weight / ours;
        const agreement = 1 - Math.abs(s.angle[i] - f.angle[i]) * (2 / Math.PI);
        kept += weight * sigmoid(0.9994, 15, 0.5, ratio) * sigmoid(0.9879, 22, 0.8, agreement);
        all += weight;
        strength[i] = ours;
      }
    }
    return kept / all;
  };

  /** Spatial frequency and average gradient of one image. */
  const sharpness = (levels, width, height) => {
    let [squares, gradients] = [0, 0];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const here = levels[y * width + x];
        const across = x + 1 < width ? levels[y * width + x + 1] - here : 0;
        const down = y + 1 < height ? levels[(y + 1) * width + x] - here : 0;
        squares += across * across + down * down;
        gradients += Math.sqrt((across * across + down * down) / 2);
      }
    }
    return { sf: Math.sqrt(squares / levels.length), ag: gradients / levels.length };
  };

  // ---------------------------------------------------------------------------------------------- alignment

  /** A small, smooth copy without slow changes of light: what is in focus in neither or both looks alike on it. */
  const smallOf = (gray, width, height) => {
    const step = Math.max(1, Math.ceil(Math.max(width, height) / CHECK_SIDE));
    const [w, h] = [Math.floor(width / step), Math.floor(height / step)];
    const small = new Float32Array(w * h);
    for (let y = 0; y < h * step; y++) {
      for (let x = 0; x < w * step; x++) small[Math.floor(y / step) * w + Math.floor(x / step)] += gray[y * width + x];
    }
    const smooth = (image, radius) => {
      const pass = (from, stride, count, other, otherStride) => {
        const to = new Float32Array(from.length);
        for (let o = 0; o < other; o++) {
          for (let i = 0; i < count; i++) {
            let [sum, n] = [0, 0];
            for (let j = Math.max(0, i - radius); j <= Math.min(count - 1, i + radius); j++, n++) sum += from[o * otherStride + j * stride];
            to[o * otherStride + i * stride] = sum / n;
          }
        }
        return to;
      };
      return pass(pass(image, 1, w, h, w), w, h, w, 1);
    };
    const fine = smooth(smooth(small, 2), 2);
    const coarse = smooth(fine, 12);
    return { values: fine.map((value, i) => value - coarse[i]), width: w, height: h, step };
  };

  const correlation = (a, b, box, dx, dy) => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const [p, q] = [a.values[y * a.width + x], b.values[(y + dy) * a.width + x + dx]];
        ab += p * q;
        aa += p * p;
        bb += q * q;
      }
    }
    return ab / Math.sqrt(aa * bb + 1e-12);
  };

  const peak = (left, middle, right) => {
    const curvature = left - 2 * middle + right;
    return curvature < 0 ? (left - right) / (2 * curvature) : 0;
  };

  /** How far, in full pixels, the second image lies off the first in that quarter of the frame where it lies off most. */
  const misalignment = (first, second) => {
    let [off, likeness] = [0, 0];
    const [middleX, middleY] = [Math.floor(first.width / 2), Math.floor(first.height / 2)];
    for (const [left, right] of [[REACH, middleX], [middleX, first.width - REACH]]) {
      for (const [top, bottom] of [[REACH, middleY], [middleY, first.height - REACH]]) {
        let best = { value: -2, dx: 0, dy: 0 };
        const at = (dx, dy) => correlation(first, second, { left, right, top, bottom }, dx, dy);
        for (let dy = -REACH; dy <= REACH; dy++) {
          for (let dx = -REACH; dx <= REACH; dx++) {
            const value = at(dx, dy);
            if (value > best.value) best = { value, dx, dy };
          }
        }
        likeness = Math.max(likeness, best.value);
        if (best.value < 0.5) continue;
        const inside = Math.abs(best.dx) < REACH && Math.abs(best.dy) < REACH;
        const fx = inside ? peak(at(best.dx - 1, best.dy), best.value, at(best.dx + 1, best.dy)) : 0;
        const fy = inside ? peak(at(best.dx, best.dy - 1), best.value, at(best.dx, best.dy + 1)) : 0;
        off = Math.max(off, first.step * Math.hypot(best.dx + fx, best.dy + fy));
      }
    }
    return { off, likeness };
  };

  const checked = (grays, names, width, height) => {
    if (Math.min(width, height) < 8 * REACH) return [];
    const small = grays.map((gray) => smallOf(gray, width, height));
    const notes = [];
    for (let i = 1; i < small.length; i++) {
      const { off, likeness } = misalignment(small[i - 1], small[i]);
      const pair = `${names[i]} and ${names[i - 1]}`;
      if (likeness < 0.5) notes.push(`${pair} do not seem to show the same scene.`);
      else if (off > Math.max(NOTICEABLE, 0.6 * small[i].step)) {
        notes.push(`${pair} lie about ${off.toFixed(1)} pixels apart: expect doubled edges. Align them first: mffrepro fuse --align.`);
      }
    }
    return notes;
  };

  // ------------------------------------------------------------------------------------------------- network

  /** What runs in the worker, after ONNX Runtime itself. */
  const work = () => {
    const sessions = {};
    self.onmessage = async ({ data }) => {
      try {
        if (data.wasm) {
          self.ort.env.wasm.numThreads = 1;
          const wasm = new Blob([data.wasm], { type: "application/wasm" });
          self.ort.env.wasm.wasmPaths = { "ort-wasm-simd.wasm": URL.createObjectURL(wasm) };
          for (const [name, model] of Object.entries(data.models)) {
            sessions[name] = await self.ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
          }
          self.postMessage({ ready: true });
          return;
        }
        const tensor = (values) => new self.ort.Tensor("float32", values, data.shape);
        const inputs = Object.entries(data.inputs).map(([name, values]) => [name, tensor(values)]);
        const start = performance.now();
        const outputs = await sessions[data.network].run(Object.fromEntries(inputs));
        self.postMessage({ output: Object.values(outputs)[0].data, seconds: (performance.now() - start) / 1000 });
      } catch (error) {
        self.postMessage({ error: String(error) });
      }
    };
  };

  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;

  const loadScript = (address) =>
    new Promise((resolve, reject) => {
      const missing = new Refused("this build of the book was made without the network and cannot fuse; use mffrepro fuse");
      document.head.append(Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: () => reject(missing) }));
    });

  const ask = (worker, message) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data.error) reject(new Refused(`the network stopped (${data.error}); allow fewer pixels`));
        else resolve(data);
      };
      worker.onerror = (event) => reject(new Refused(`the network stopped (${event.message}); allow fewer pixels`));
      worker.postMessage(message);
    });

  let started;
  const start = (address) => {
    started ??= (async () => {
      await loadScript(address);
      const { ort, wasm, models } = window.mffRuntime;
      const worker = new Worker(URL.createObjectURL(new Blob([ort, `;(${work})();`], { type: "text/javascript" })));
      const networks = Object.entries(models).map(([name, text]) => [name, bytesOf(text)]);
      await ask(worker, { wasm: bytesOf(wasm), models: Object.fromEntries(networks) });
      delete window.mffRuntime;
      return worker;
    })();
    started.catch(() => (started = undefined));
    return started;
  };

  // ---------------------------------------------------------------------------------------------------- page

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const picture = (label, pixels, width, height, file) => {
    const canvas = element("canvas", { width, height, className: "mff-picture" });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    const link = element("a", { textContent: `Download ${file}`, href: "#", download: file });
    link.addEventListener("click", (event) => {
      if (link.href.startsWith("blob:")) return;
      event.preventDefault();
      canvas.toBlob((blob) => {
        link.href = URL.createObjectURL(blob);
        link.click();
      });
    });
    return element("figure", {}, canvas, element("figcaption", {}, `${label} `, link));
  };

  const grayPicture = (values) => {
    const pixels = new Uint8ClampedArray(4 * values.length).fill(255);
    values.forEach((value, i) => pixels.fill(Math.round(255 * value), 4 * i, 4 * i + 3));
    return pixels;
  };

  // Each way returns the fused image and a map of the numbers of the sources: 1 for the first image and 0 for the last.

  const inTurn = async (worker, { images, width, height }, tell) => {
    let [fused, gray, seconds] = [images[0], grayOf(images[0]), 0];
    let map = new Float32Array(gray.length).fill(1);
    for (let n = 1; n < images.length; n++) {
      tell(`The network compares ${n + 1} of ${images.length} …`);
      const inputs = { first: gray, second: grayOf(images[n]) };
      const { output: share, seconds: taken } = await ask(worker, { network: "gacn", inputs, shape: [1, 1, height, width] });
      fused = mix([fused, images[n]], [share, share.map((value) => 1 - value)]);
      const place = 1 - n / (images.length - 1);
      map = map.map((value, i) => (images.length === 2 ? share[i] : share[i] > 0.5 ? value : place));
      gray = grayOf(fused);
      seconds += taken;
    }
    return { fused, map, seconds };
  };

  /** Copy an image into a larger one from its upper left corner, repeating its last row and column; or cut it again. */
  const framed = (from, width, height, toWidth, toHeight) => {
    const to = new Float32Array(toWidth * toHeight);
    for (let y = 0; y < toHeight; y++) {
      for (let x = 0; x < toWidth; x++) to[y * toWidth + x] = from[Math.min(y, height - 1) * width + Math.min(x, width - 1)];
    }
    return to;
  };

  const atOnce = async (worker, { images, width, height }, tell) => {
    tell(`The network compares all ${images.length} …`);
    const [wide, high] = [width, height].map((side) => STEP * Math.ceil(side / STEP));
    const all = new Float32Array(images.length * wide * high);
    images.forEach((image, n) => all.set(framed(grayOf(image), width, height, wide, high), n * wide * high));
    const message = { network: "focal", inputs: { images: all }, shape: [1, images.length, high, wide] };
    const { output, seconds } = await ask(worker, message);
    const shares = images.map((_, n) => framed(output.subarray(n * wide * high, (n + 1) * wide * high), wide, high, width, height));
    const map = new Float32Array(width * height);
    shares.forEach((share, n) => share.forEach((value, i) => (map[i] += value * (1 - n / (images.length - 1)))));
    return { fused: mix(images, shares), map, seconds };
  };

  /** Network -> how the page calls it, how it fuses, and the bytes that it needs for a pixel of so many photographs; measured. */
  const NETWORKS = {
    focal: { title: "Focal: all at once", fuse: atOnce, bytes: (count) => 130 * count },
    gacn: { title: "GACN: one after the other", fuse: inTurn, bytes: () => 2450 },
  };

  const begin = (box) => {
    const choose = element("input", { type: "file", multiple: true, accept: "image/*", id: "mff-try-files" });
    const options = (pairs) => pairs.map(([value, textContent]) => element("option", { value, textContent }));
    const sizes = { 0.25: "a quarter of a million", 0.5: "half a million", 1: "one million", 1.5: "one and a half million", 4: "four million", 12: "twelve million" };
    const network = element("select", { id: "mff-try-network" }, ...options(Object.entries(NETWORKS).map(([name, { title }]) => [name, title])));
    const most = element("select", { id: "mff-try-most" }, ...options(Object.entries(sizes).sort(([a], [b]) => a - b)));
    most.value = "1";
    const memory = element("span", {});
    let chosen = [];
    let busy = false;
    const needed = (pixels) => pixels * NETWORKS[network.value].bytes(Math.max(2, chosen.length));
    const sayMemory = () => {
      memory.textContent = ` (up to ${(needed(Number(most.value) * 1e6) / 1e9).toFixed(1)} GB of memory while it runs)`;
    };
    sayMemory();
    const status = element("p", { className: "mff-try-status" });
    status.setAttribute("role", "status");
    const results = element("div", { className: "mff-try-results" });
    const drop = element(
      "div", { className: "mff-try-drop" },
      element("p", {}, element("label", { htmlFor: choose.id, textContent: "Photographs, also by dropping them here: " }), choose),
      element("p", {}, element("label", { htmlFor: network.id, textContent: "Network: " }), network),
      element("p", {}, element("label", { htmlFor: most.id, textContent: "Most pixels: " }), most, memory),
    );
    box.append(drop, status, results);

    const run = async () => {
      if (busy || !chosen.length) return;
      busy = true;
      results.replaceChildren();
      try {
        status.textContent = "Reading …";
        const stack = await read(chosen, Number(most.value) * 1e6);
        const { width, height, images } = stack;
        if (needed(width * height) > MOST_MEMORY) {
          const need = `${images.length} photographs of ${width}x${height} pixels need about ${(needed(width * height) / 1e9).toFixed(0)} GB`;
          throw new Refused(`${need} and a page may have 4; allow fewer pixels`);
        }
        const notes = [...stack.notes, ...checked(images.map(grayOf), chosen.map((file) => file.name), width, height)];
        status.textContent = "Loading the network …";
        const worker = await start(box.dataset.runtime);
        const { fused, map, seconds } = await NETWORKS[network.value].fuse(worker, stack, (text) => (status.textContent = text));
        const levels = levelsOf(fused);
        const scores = { qabf: qabf(images.map(levelsOf), levels, width, height), ...sharpness(levels, width, height) };
        const numbers = Object.entries(scores).map(([name, value]) => `${name} ${value.toFixed(4)}`).join(", ");
        status.textContent = `${images.length} photographs of ${width}x${height} pixels in ${seconds.toFixed(1)} s: ${numbers}.`;
        Object.assign(box.dataset, { qabf: scores.qabf, sf: scores.sf, ag: scores.ag, seconds });
        const meaning = images.length === 2 ? "white: from the first photograph" : "white: from the first photograph, black: from the last";
        results.append(
          ...notes.map((note) => element("p", { className: "mff-try-note", textContent: note })),
          picture("Fused.", fused, width, height, "fused.png"),
          picture(`Decision map; ${meaning}.`, grayPicture(map), width, height, "decision.png"),
        );
      } catch (error) {
        status.textContent = error instanceof Refused ? `${error.message}.` : `This did not work (${error}).`;
      }
      busy = false;
    };

    const take = (files) => {
      chosen = [...files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
      sayMemory();
      run();
    };
    choose.addEventListener("change", () => take(choose.files));
    for (const setting of [network, most]) {
      setting.addEventListener("change", () => {
        sayMemory();
        run();
      });
    }
    drop.addEventListener("dragover", (event) => event.preventDefault());
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files);
    });
  };

  const all = () => document.querySelectorAll(".mff-try").forEach(begin);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
