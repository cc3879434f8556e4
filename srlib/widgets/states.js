// <srlib-states>: step through the recursions of a network (srlib/widgets/states.py writes the figures that this script reads).
//
// Each figure holds the 8-bit luma that a step gives and its energy map as grey levels, with the numbers in data attributes.
// The maps are coloured here, on canvases, so that a page carries two small pictures a step and no more.
(() => {
  if (customElements.get("srlib-states")) return;

  // matplotlib's colour maps (blueRed is RdBu_r) at even places; between them straight lines.
  const MAPS = {
    viridis: "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
    magma: "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf",
    grey: "000000 ffffff",
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
  const number = (text) => text && Number(text); // or undefined
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
      const frames = [];
      for (const figure of this.querySelectorAll("figure")) {
        const [picture, energy] = await Promise.all([...figure.querySelectorAll("img")].map(greys));
        const { name, psnr, energy: mean, top } = figure.dataset;
        if ("hr" in figure.dataset) this.hr = picture;
        else frames.push({ name, picture, energy, psnr: number(psnr), mean: number(mean), top: number(top) });
      }
      if (!frames.length || this.shadowRoot) return;
      this.frames = frames;
      this.top = Math.max(...frames.map((frame) => frame.top ?? 0));
      this.build();
      this.show(frames.findLastIndex((frame) => frame.energy));
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
      const grey = (frame, k) => frame.picture.values[k];
      const original = (frame, k) => this.hr.values[k];
      const energy = (frame, k) => frame.energy.values[k] * (this.shared.checked ? frame.top / this.top : 1);
      const residual = (frame, k) => 127.5 * (1 + (grey(frame, k) - grey(this.frames[0], k)) / reach);
      const error = (frame, k) => (255 * Math.abs(grey(frame, k) - original(frame, k))) / ERROR_TOP;
      this.panels = [
        this.panel("grey", grey, "Image that this step gives"),
        this.hr && this.panel("grey", original, "Original"),
        this.panel("viridis", energy, "Energy of the state", "0", ""),
        this.panel("blueRed", residual, "Image − bicubic, grey levels", `−${reach}`, `+${reach}`),
        this.hr && this.panel("magma", error, "Error against the original, grey levels", "0", `≥ ${ERROR_TOP}`),
      ].filter(Boolean);
      this.chart = this.curve();
      this.grid = make("div", { className: "grid" }, ...this.panels.map((panel) => panel.figure), this.chart.figure);
      const title = make("p", { className: "title", textContent: this.dataset.label });
      const controls = make("div", { className: "controls" }, this.button, this.slider, this.now);
      const shared = make("label", {}, this.shared, "One scale for the energy of all steps");
      const group = { className: "all", role: "group", ariaLabel: `${this.dataset.label}, step by step` };
      root.append(make("div", group, title, controls, this.grid, shared), make("slot"));
      // JupyterLab would take the arrow keys for itself.
      root.addEventListener("keydown", (event) => event.stopPropagation());
      // A frame later: the observer must not change what it observes while it reports.
      new ResizeObserver(() => requestAnimationFrame(() => this.fit())).observe(this);
    }

    /** A picture under a colour map, in which `level` gives the place of pixel k, 0..255; with a bar that names its ends. */
    panel(map, level, title, low, high) {
      const { width, height } = this.frames[0].picture;
      const canvas = make("canvas", { width, height, role: "img" });
      const end = make("span", { textContent: high });
      const bar = make("div", { className: "bar" }, make("span", { textContent: low }), make("i"), end);
      const caption = make("figcaption", {}, title, ...(low ? [bar] : []));
      return { map, level, title, canvas, end, figure: make("figure", { className: map }, canvas, caption) };
    }

    /** Whole factors only, as many columns as fit; three leave the pictures large enough on a laptop, two on a phone. */
    fit() {
      const { width, height } = this.frames[0].picture;
      const room = this.grid.clientWidth;
      const columns = room < 480 ? 2 : 3;
      const zoom = Math.max(1, Math.min(Math.floor((room - 12 * (columns - 1)) / columns / width), Math.ceil(240 / height)));
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
      this.slider.value = step;
      for (const { map, level, title, canvas, end, figure } of this.panels) {
        canvas.ariaLabel = `${title}: ${this.dataset.label}, ${frame.name}`;
        const context = canvas.getContext("2d");
        const pixels = context.createImageData(canvas.width, canvas.height);
        const empty = map === "viridis" && !frame.energy;
        for (let k = 0; k < canvas.width * canvas.height && !empty; k++) {
          pixels.data.set([...PALETTES[map][Math.round(Math.max(0, Math.min(255, level(frame, k))))], 255], 4 * k);
        }
        context.putImageData(pixels, 0, 0);
        if (map !== "viridis") continue;
        figure.classList.toggle("none", empty);
        figure.dataset.none = step ? "all states count" : "no state yet";
        end.textContent = empty ? "" : `≥ ${short(this.shared.checked ? this.top : frame.top, 2)}`;
      }
      const words = [];
      if (frame.psnr !== undefined) {
        const against = (other, name) => `${signed(frame.psnr - this.frames[other].psnr, 2)} against ${name}`;
        const gains = [];
        if (frame.energy && step > 1) gains.push(against(step - 1, "the step before"));
        if (step) gains.push(against(0, "bicubic"));
        words.push(`PSNR inside the crop ${frame.psnr.toFixed(2)} dB${gains.length ? ` (${gains.join(", ")})` : ""}`);
      }
      if (frame.mean !== undefined) words.push(`mean energy ${short(frame.mean, 3)}`);
      const name = frame.name[0].toUpperCase() + frame.name.slice(1);
      this.now.replaceChildren(make("b", { textContent: name }), words.length ? `: ${words.join(", ")}.` : ".");
      this.slider.ariaValueText = this.now.textContent;
      this.chart.mark(step);
    }

    /** PSNR against the step, or the mean energy where there is no original; the combined output is a dashed line. */
    curve() {
      const value = (frame) => (this.hr ? frame.psnr : frame.mean);
      const steps = this.frames.map((frame, k) => [k, value(frame)]).filter(([, y]) => y !== undefined);
      const ys = steps.map(([, y]) => y);
      const [low, high] = [Math.min(...ys), Math.max(...ys)];
      const text = (y) => (this.hr ? `${y.toFixed(2)} dB` : short(y, 3));
      const title = this.hr ? "PSNR inside the crop against the step" : "Mean energy against the step";
      const caption = make("figcaption", {}, title, make("br"), `${text(low)} to ${text(high)}`);
      const figure = make("figure", { className: "curve", innerHTML: '<svg role="img"></svg>' }, caption);
      const picture = figure.firstChild;
      picture.setAttribute("aria-label", `${title}: ${ys.map(text).join(", ")}`);
      const mark = (step) => {
        picture.querySelectorAll("circle").forEach((dot, n) => dot.classList.toggle("at", steps[n][0] === step));
      };
      const draw = (width, height) => {
        const x = (k) => 6 + (k / Math.max(1, this.frames.length - 1)) * (width - 12);
        const y = (v) => 6 + (high > low ? (high - v) / (high - low) : 0.5) * (height - 12);
        const own = steps.filter(([k]) => k === 0 || this.frames[k].energy);
        const end = y(ys.at(-1));
        const combined = own.length < steps.length ? `<line x1="6" x2="${width - 6}" y1="${end}" y2="${end}" />` : "";
        const path = own.map(([k, v]) => `${x(k)},${y(v)}`).join("L");
        const dots = steps.map(([k, v]) => `<circle cx="${x(k)}" cy="${y(v)}" r="${steps.length > 16 ? 3 : 4}" />`);
        picture.innerHTML = `${combined}<path d="M${path}" />${dots.join("")}`;
        picture.setAttribute("width", width);
        picture.setAttribute("height", height);
        mark(this.slider.valueAsNumber);
      };
      return { figure, draw, mark };
    }

    play() {
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
