// <srlib-states>: step through the recursions of a network (srlib/widgets/states.py writes the figures that this script reads).
//
// Each figure holds the 8-bit luma that a step gives and its energy map as grey levels, with the numbers in data attributes.
// The maps are coloured here, on canvases, so that a page carries two small pictures a step and no more.
(() => {
  if (customElements.get("srlib-states")) return;

  // matplotlib's colour maps (the last is RdBu_r) at even places; between them straight lines.
  const MAPS = {
    viridis: "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
    magma: "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf",
    blueRed: "053061 2065ab 4393c3 90c4dd d1e5f0 f7f6f6 fddbc7 f3a481 d6604d b1182b 67001f",
  };
  const ERROR_TOP = 60; // grey levels, as in the crops of the other pages
  const PAUSE = 700; // milliseconds a step while playing
  const gradient = (name) => `linear-gradient(to right, #${MAPS[name].replaceAll(" ", ", #")})`;

  function palette(name) {
    const anchors = MAPS[name].split(" ").map((hex) => [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16)));
    return Array.from({ length: 256 }, (_, value) => {
      const at = (value / 255) * (anchors.length - 1);
      const k = Math.min(Math.floor(at), anchors.length - 2);
      return [0, 1, 2].map((c) => Math.round(anchors[k][c] + (at - k) * (anchors[k + 1][c] - anchors[k][c])));
    });
  }
  const PALETTES = Object.fromEntries(Object.keys(MAPS).map((name) => [name, palette(name)]));

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host {
      --ink: var(--pst-color-text-base, var(--jp-ui-font-color1, var(--vscode-editor-foreground, CanvasText)));
      --ground: var(--pst-color-background, var(--jp-layout-color1, var(--vscode-editor-background, Canvas)));
      --line: var(--pst-color-border, var(--jp-border-color1, var(--vscode-panel-border, GrayText)));
      --mark: var(--pst-color-primary, var(--jp-brand-color1, var(--vscode-focusBorder, LinkText)));
      display: block; margin: 1em 0; color: var(--ink); font-size: 0.9rem; line-height: 1.4;
      font-variant-numeric: tabular-nums;
    }
    .all { box-sizing: border-box; max-width: 860px; padding: 12px; border: 1px solid var(--line); border-radius: 6px;
      background: var(--ground); }
    .title { margin: 0 0 4px; font-size: 1.1em; font-weight: 600; }
    .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; }
    .controls input[type=range] { flex: 1 1 12em; min-width: 8em; height: 40px; margin: 0; accent-color: var(--mark); }
    button { min-width: 5em; min-height: 40px; padding: 0 12px; border: 1px solid var(--line); border-radius: 4px;
      background: none; color: inherit; font: inherit; cursor: pointer; }
    :focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
    .now { flex: 1 0 100%; min-height: 2.8em; margin: 0; }
    .now b { font-weight: 600; }
    .grid { display: grid; gap: 12px; margin: 8px 0; justify-content: space-between; }
    figure { margin: 0; }
    canvas { display: block; image-rendering: pixelated; }
    figcaption { margin-top: 4px; font-size: 0.9em; line-height: 1.3; }
    .bar { display: grid; grid-template-columns: auto 1fr auto; gap: 6px; align-items: center; }
    .bar i { height: 8px; border-radius: 2px; }
    .viridis i { background: ${gradient("viridis")}; }
    .magma i { background: ${gradient("magma")}; }
    .blueRed i { background: ${gradient("blueRed")}; }
    .none { position: relative; }
    .none::before { content: attr(data-none); position: absolute; padding: 8px; }
    .none canvas { outline: 1px dashed var(--line); outline-offset: -1px; }
    .none .bar { visibility: hidden; }
    svg { display: block; overflow: visible; }
    svg path { fill: none; stroke: var(--ink); stroke-width: 1.5; opacity: 0.6; }
    svg circle { fill: var(--ground); stroke: var(--ink); stroke-width: 1.5; }
    svg circle.at { fill: var(--mark); stroke: var(--mark); }
    svg line { stroke: var(--ink); stroke-dasharray: 4 3; opacity: 0.6; }
    label { display: inline-flex; align-items: center; gap: 8px; min-height: 24px; }
    label input { width: 18px; height: 18px; margin: 3px; accent-color: var(--mark); }
    @media (max-width: 480px) { .now { min-height: 4.2em; } }
    @media (prefers-reduced-motion: reduce) { button { display: none; } }
    slot { display: none; }
    @media print {
      .all { display: none; }
      slot { display: block; }
      ::slotted(figure) { display: inline-block; max-width: 260px; margin: 4px 8px 4px 0; vertical-align: top;
        break-inside: avoid; }
    }
  `);

  const make = (tag, set = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), set);
    element.append(...children);
    return element;
  };
  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const number = (text) => (text === undefined ? null : Number(text));
  const short = (x, digits) => (x < 1000 ? x.toPrecision(digits) : Math.round(x).toLocaleString("en"));
  const signed = (x, digits) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(digits);

  /** The grey levels of a decoded picture: (H, W) in one array, with its sides. */
  async function greys(image) {
    await image.decode();
    const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { width, height, values: Uint8ClampedArray.from({ length: width * height }, (_, k) => data[4 * k]) };
  }

  class States extends HTMLElement {
    connectedCallback() {
      if (this.shadowRoot) return;
      // While the page is being read the figures are not there yet.
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => this.start(), { once: true });
      else this.start();
    }

    disconnectedCallback() {
      this.pause();
    }

    async start() {
      const figures = [...this.querySelectorAll("figure")];
      const read = await Promise.all(figures.map((figure) => Promise.all([...figure.querySelectorAll("img")].map(greys))));
      this.frames = [];
      figures.forEach((figure, k) => {
        const [picture, energy] = read[k];
        const { name, psnr, energy: mean, top } = figure.dataset;
        if ("hr" in figure.dataset) this.hr = picture;
        else this.frames.push({ name, picture, energy, psnr: number(psnr), mean: number(mean), top: number(top) });
      });
      if (!this.frames.length || this.shadowRoot) return;
      this.top = Math.max(...this.frames.map((frame) => frame.top ?? 0));
      this.build();
      this.show(this.frames.findLastIndex((frame) => frame.energy));
    }

    build() {
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.slider = make("input", { type: "range", min: 0, max: this.frames.length - 1, ariaLabel: "Step of the recursion" });
      this.slider.addEventListener("input", () => {
        this.pause();
        this.show(this.slider.valueAsNumber);
      });
      this.button = make("button", { type: "button", textContent: "Play" });
      this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
      this.shared = make("input", { type: "checkbox" });
      this.shared.addEventListener("change", () => this.show(this.slider.valueAsNumber));
      this.now = make("p", { className: "now" });
      const reach = Number(this.dataset.residual);
      this.panels = [
        this.panel("image", "Image that this step gives"),
        ...(this.hr ? [this.panel("original", "Original")] : []),
        this.panel("energy", "Energy of the state", "viridis", "0", ""),
        this.panel("residual", "Image − bicubic, grey levels", "blueRed", `−${reach}`, `+${reach}`),
        ...(this.hr ? [this.panel("error", "Error against the original, grey levels", "magma", "0", `≥ ${ERROR_TOP}`)] : []),
      ];
      this.chart = this.curve();
      this.grid = make("div", { className: "grid" }, ...this.panels.map((panel) => panel.figure), this.chart.figure);
      root.append(
        make(
          "div",
          { className: "all", role: "group", ariaLabel: `${this.dataset.label}, step by step` },
          make("p", { className: "title", textContent: this.dataset.label }),
          make("div", { className: "controls" }, this.button, this.slider, this.now),
          this.grid,
          make("label", {}, this.shared, "One scale for the energy of all steps"),
        ),
        make("slot"),
      );
      // JupyterLab would take the arrow keys for itself.
      root.addEventListener("keydown", (event) => event.stopPropagation());
      // A frame later: the observer must not change what it observes while it reports.
      new ResizeObserver(() => requestAnimationFrame(() => this.fit())).observe(this);
    }

    panel(kind, title, map = "", low = "", high = "") {
      const { width, height } = this.frames[0].picture;
      const canvas = make("canvas", { width, height, role: "img" });
      const end = make("span", { textContent: high });
      const bar = make("div", { className: "bar" }, make("span", { textContent: low }), make("i"), end);
      const figure = make("figure", { className: map }, canvas, make("figcaption", {}, title, ...(map ? [bar] : [])));
      return { kind, title, figure, canvas, end };
    }

    /** Whole factors only, as many columns as fit; three leave the pictures large enough on a laptop, two on a phone. */
    fit() {
      const { width, height } = this.frames[0].picture;
      const room = this.grid.clientWidth;
      const columns = room < 480 ? 2 : 3;
      const zoom = Math.max(1, Math.min(Math.floor((room - 12 * (columns - 1)) / columns / width), Math.ceil(240 / height)));
      if (zoom === this.zoom && columns === this.columns) return;
      [this.zoom, this.columns] = [zoom, columns];
      const cell = Math.max(zoom * width, Math.min(150, Math.floor((room - 12 * (columns - 1)) / columns)));
      this.grid.style.gridTemplateColumns = `repeat(${columns}, ${cell}px)`;
      for (const { canvas } of this.panels) {
        canvas.style.width = `${zoom * width}px`;
        canvas.style.height = `${zoom * height}px`;
      }
      this.chart.draw(zoom * width, Math.max(80, zoom * height));
    }

    show(step) {
      const frame = this.frames[step];
      const before = this.frames[step - 1];
      const bicubic = this.frames[0].picture.values;
      const reach = Number(this.dataset.residual);
      this.slider.value = step;
      const grey = frame.picture.values;
      const ratio = this.shared.checked ? frame.top / this.top : 1;
      for (const { kind, title, figure, canvas, end } of this.panels) {
        canvas.ariaLabel = `${title}: ${this.dataset.label}, ${frame.name}`;
        const paint = (map, level) =>
          this.paint(canvas, (k) => PALETTES[map][Math.round(Math.max(0, Math.min(255, level(k))))]);
        if (kind === "image") this.paint(canvas, (k) => [grey[k], grey[k], grey[k]]);
        if (kind === "original") this.paint(canvas, (k) => Array(3).fill(this.hr.values[k]));
        if (kind === "residual") paint("blueRed", (k) => 127.5 * (1 + (grey[k] - bicubic[k]) / reach));
        if (kind === "error") paint("magma", (k) => (255 * Math.abs(grey[k] - this.hr.values[k])) / ERROR_TOP);
        if (kind === "energy") {
          figure.classList.toggle("none", !frame.energy);
          figure.dataset.none = step ? "all states count" : "no state yet";
          if (frame.energy) paint("viridis", (k) => frame.energy.values[k] * ratio);
          else canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
          end.textContent = frame.energy ? `≥ ${short(this.shared.checked ? this.top : frame.top, 2)}` : "";
        }
      }
      const words = [];
      if (frame.psnr !== null) {
        const against = (other, name) => `${signed(frame.psnr - other.psnr, 2)} against ${name}`;
        const gains = [];
        if (frame.energy && step > 1) gains.push(against(before, "the step before"));
        if (step) gains.push(against(this.frames[0], "bicubic"));
        words.push(`PSNR inside the crop ${frame.psnr.toFixed(2)} dB${gains.length ? ` (${gains.join(", ")})` : ""}`);
      }
      if (frame.mean !== null) words.push(`mean energy ${short(frame.mean, 3)}`);
      const name = frame.name[0].toUpperCase() + frame.name.slice(1);
      this.now.replaceChildren(make("b", { textContent: name }), words.length ? `: ${words.join(", ")}.` : ".");
      this.slider.ariaValueText = this.now.textContent;
      this.chart.mark(step);
    }

    paint(canvas, colour) {
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(canvas.width, canvas.height);
      for (let k = 0; k < canvas.width * canvas.height; k++) pixels.data.set([...colour(k), 255], 4 * k);
      context.putImageData(pixels, 0, 0);
    }

    /** PSNR against the step, or the mean energy where there is no original; the combined output is a dashed line. */
    curve() {
      const value = (frame) => (this.hr ? frame.psnr : frame.mean);
      const steps = this.frames.map((frame, k) => [k, value(frame)]).filter(([, y]) => y !== null);
      const ys = steps.map(([, y]) => y);
      const [low, high] = [Math.min(...ys), Math.max(...ys)];
      const text = (y) => (this.hr ? `${y.toFixed(2)} dB` : short(y, 3));
      const title = this.hr ? "PSNR inside the crop against the step" : "Mean energy against the step";
      const picture = svg("svg", { role: "img", "aria-label": `${title}: ${ys.map(text).join(", ")}` });
      const caption = make("figcaption", {}, title, make("br"), `${text(low)} to ${text(high)}`);
      const figure = make("figure", { className: "curve" }, picture, caption);
      let dots = [];
      const mark = (step) => dots.forEach(([k, dot]) => dot.classList.toggle("at", k === step));
      const draw = (width, height) => {
        const x = (k) => 6 + (k / Math.max(1, this.frames.length - 1)) * (width - 12);
        const y = (v) => 6 + (high > low ? (high - v) / (high - low) : 0.5) * (height - 12);
        for (const [name, size] of [["width", width], ["height", height]]) picture.setAttribute(name, size);
        const own = steps.filter(([k]) => k === 0 || this.frames[k].energy);
        const line = svg("path", { d: `M${own.map(([k, v]) => `${x(k)},${y(v)}`).join("L")}` });
        const last = steps.at(-1);
        const ends = own.includes(last) ? [] : [svg("line", { x1: 6, x2: width - 6, y1: y(last[1]), y2: y(last[1]) })];
        dots = steps.map(([k, v]) => [k, svg("circle", { cx: x(k), cy: y(v), r: steps.length > 16 ? 3 : 4 })]);
        picture.replaceChildren(...ends, line, ...dots.map(([, dot]) => dot));
        mark(this.slider.valueAsNumber);
      };
      return { figure, draw, mark };
    }

    play() {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
      if (this.slider.valueAsNumber === this.frames.length - 1) this.show(0);
      this.timer = setInterval(() => {
        this.show(this.slider.valueAsNumber + 1);
        if (this.slider.valueAsNumber === this.frames.length - 1) this.pause();
      }, PAUSE);
      this.button.textContent = "Pause";
    }

    pause() {
      clearInterval(this.timer);
      this.timer = null;
      if (this.button) this.button.textContent = "Play";
    }
  }
  customElements.define("srlib-states", States);
})();
