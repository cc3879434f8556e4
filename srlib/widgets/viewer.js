/* The viewer <srlib-compare>: swipes between outputs for one scene, zooms one rectangle in all of them, flicks through them and
   shows their errors. srlib/widgets/viewer.py writes the captioned pictures that it reads. Pixels are drawn on canvases at whole
   factors, never smoothed. Nothing moves by itself, so there is no motion to reduce. */
(() => {
  if (customElements.get("srlib-compare")) return;

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host {
      --text: var(--pst-color-text-base, var(--jp-ui-font-color1, var(--vscode-editor-foreground, CanvasText)));
      --back: var(--pst-color-background, var(--jp-layout-color1, var(--vscode-editor-background, Canvas)));
      --line: var(--pst-color-border, var(--jp-border-color1, var(--vscode-panel-border, GrayText)));
      --mark: var(--pst-color-primary, var(--jp-brand-color1, var(--vscode-focusBorder, LinkText)));
      display: block; margin: 1rem 0; color: var(--text); background: var(--back);
      font-size: 0.875rem; line-height: 1.35; font-variant-numeric: tabular-nums;
    }
    slot { display: none; }
    [hidden] { display: none !important; }
    .title { font-weight: 600; margin: 0 0 0.5rem; }
    .bar, .ends { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; margin-bottom: 0.75rem; }
    .ends { flex-wrap: nowrap; justify-content: space-between; }
    .bar span { white-space: nowrap; }
    .ends label { flex: 0 1 48%; min-width: 0; }
    .ends label:last-child { text-align: right; }
    button, select {
      font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 0.3rem;
      min-height: 2.5rem; padding: 0 0.7rem; cursor: pointer;
    }
    select { display: block; width: 100%; padding: 0 0.3rem; text-overflow: ellipsis; }
    .square { min-width: 2.5rem; padding: 0; font-size: 1.1rem; }
    [aria-pressed="true"] { border-color: var(--mark); box-shadow: inset 0 0 0 1px var(--mark); font-weight: 600; }
    :focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
    .wide { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 1.25rem; }
    .wide .bar { padding-top: 1.35em; } /* beside the choosers, below the height of their names */
    .frame { position: relative; touch-action: pan-y; cursor: ew-resize; user-select: none; -webkit-user-select: none;
      padding-bottom: 3rem; max-width: 100%; }
    canvas { display: block; image-rendering: pixelated; }
    .smooth { image-rendering: auto; }
    .divider { position: absolute; top: 0; bottom: 0; width: 2.5rem; margin-left: -1.25rem; touch-action: none; outline: 0; }
    .divider::before { content: ""; position: absolute; left: calc(50% - 2px); top: 0; bottom: 3rem; width: 2px;
      background: #fff; border: solid #000; border-width: 0 1px; }
    .divider::after { content: "◂ ▸"; position: absolute; bottom: 0.5rem; width: 2.5rem; height: 2.25rem; line-height: 2.25rem;
      box-sizing: border-box; text-align: center; border: 1px solid var(--line); border-radius: 0.3rem; background: var(--back); }
    .divider:focus-visible::after { outline: 3px solid var(--mark); }
    .alone .divider::before { display: none; }
    .rect { position: absolute; box-sizing: border-box; border: 2px solid #e00; box-shadow: 0 0 0 1.5px #fff, inset 0 0 0 1px #fff;
      touch-action: none; cursor: move; }
    .rect:focus-visible { outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    ul { list-style: none; margin: 0.5rem 0 0; padding: 0; display: grid; gap: 0.75rem;
      grid-template-columns: repeat(auto-fill, minmax(min(10rem, 46%), 1fr)); }
    li { min-width: 0; overflow-wrap: anywhere; }
    li button { display: block; padding: 3px; min-width: 2.5rem; margin-bottom: 0.25rem; cursor: pointer; }
    kbd { font: inherit; border: 1px solid var(--line); border-radius: 0.2rem; padding: 0 0.3em; margin-right: 0.4em; }
    .side { display: block; min-height: 1.35em; font-style: italic; }
    .legend { display: flex; flex-wrap: wrap; gap: 0.2rem 0.5rem; align-items: center; }
    .legend canvas { width: 7rem; height: 0.9rem; }
    p { margin: 0.5rem 0 0; }
    @media (pointer: coarse) { .keys { display: none; } }
    @media print {
      .live { display: none; }
      slot { display: flex; flex-wrap: wrap; gap: 1rem; }
      ::slotted(figure) { margin: 0; break-inside: avoid; }
    }
  `);

  const MARKUP = `
    <slot></slot>
    <div class="live" role="group">
      <div class="ruler"></div>
      <p class="title"></p>
      <div class="stage">
        <div class="view">
          <div class="ends"><label>Left <select></select></label><label>Right <select></select></label></div>
          <div class="frame">
            <canvas role="img"></canvas>
            <div class="rect" role="application" tabindex="0" aria-roledescription="movable rectangle"></div>
            <div class="divider" role="slider" tabindex="0" aria-label="Divider" aria-valuemin="0"></div>
          </div>
        </div>
        <div>
          <div class="bar">
            <button type="button" data-does="swipe">Swipe</button>
            <button type="button" data-does="flip">Flip left / right</button>
            <button type="button" data-does="error" aria-pressed="false">Error map</button>
            <span>Zoom
              <button type="button" data-does="out" class="square" aria-label="Larger rectangle, smaller zoom">−</button>
              <button type="button" data-does="in" class="square" aria-label="Smaller rectangle, larger zoom">+</button></span>
          </div>
          <div class="legend" hidden><span>0</span><canvas role="img" aria-label="Colours of the errors"></canvas><span></span></div>
          <p class="status" role="status"></p>
        </div>
      </div>
      <ul aria-label="The rectangle in every picture, magnified"></ul>
      <p class="hint">Drag the divider or the rectangle; tap to put the rectangle there; tap a small picture to see it at the
        right. <span class="keys">Keys: <kbd>1</kbd>… one picture alone, <kbd>space</kbd>flip, <kbd>S</kbd>swipe,
        <kbd>E</kbd>error map, <kbd>+</kbd><kbd>−</kbd>zoom, arrows move what has the focus.</span></p>
    </div>`;

  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const context = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

  const blank = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

  /* Studio-range luma of BT.601, as srlib.images.rgb_to_luma; a grey picture is its own luma. */
  function luma(canvas, grey) {
    const { data } = context(canvas).getImageData(0, 0, canvas.width, canvas.height);
    return Float64Array.from({ length: data.length / 4 }, (_, k) => {
      const [r, g, b] = [data[4 * k], data[4 * k + 1], data[4 * k + 2]];
      return grey ? r : (65.481 * r + 128.553 * g + 24.966 * b) / 255 + 16;
    });
  }

  class Compare extends HTMLElement {
    connectedCallback() {
      this.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the keys
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => this.start(), { once: true });
      else this.start();
    }

    /* The captioned pictures stay visible until all are decoded, and for good if one is damaged. */
    async start() {
      const figures = [...this.querySelectorAll("figure")];
      if (this.started || !figures.length) return;
      this.started = true;
      const images = figures.map((figure) => figure.querySelector("img"));
      try {
        await Promise.all(images.map((image) => image.decode()));
      } catch {
        return;
      }
      this.labels = figures.map((figure) => figure.dataset.label);
      this.pictures = images.map((image) => {
        const canvas = blank(image.naturalWidth, image.naturalHeight);
        context(canvas).drawImage(image, 0, 0);
        return canvas;
      });
      this.errors = [];
      [this.width, this.height] = [this.pictures[0].width, this.pictures[0].height];
      this.original = this.labels.indexOf(this.dataset.hr); // -1 without one
      const [top, left, height, width] = this.dataset.zoom.split(" ").map(Number);
      this.zoom = { top, left, height, width };
      this.aspect = height / width;
      this.sides = [this.dataset.first, this.dataset.second].map((label) => this.labels.indexOf(label));
      this.at = Math.round(this.width / 2); // the divider, in pixels of the picture
      this.alone = null; // or the index of the only picture shown
      this.error = false;
      this.build(figures);
    }

    build(figures) {
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      root.innerHTML = MARKUP;
      const find = (this.find = (selector) => root.querySelector(selector));
      this.main = find(".frame canvas");
      Object.assign(this.main, { width: this.width, height: this.height });
      find(".title").textContent = this.dataset.title;
      find(".title").hidden = !this.dataset.title;
      find(".live").setAttribute("aria-label", `Compare: ${this.dataset.title || this.labels.join(", ")}`);
      find(".divider").setAttribute("aria-valuemax", this.width);
      this.selects = [...root.querySelectorAll("select")];
      this.selects.forEach((select, side) => {
        this.labels.forEach((label, k) => select.add(new Option(label, k)));
        select.addEventListener("change", () => this.put(side, Number(select.value)));
      });
      this.tiles = figures.map((figure, k) => this.tile(figure, k));
      find("ul").append(...this.tiles);
      if (this.original < 0) find('[data-does="error"]').hidden = true;
      else this.legend();
      root.querySelectorAll("[data-does]").forEach((button) => {
        button.addEventListener("click", () => this.act(button.dataset.does));
      });
      root.addEventListener("keydown", (event) => this.key(event));
      this.pointer(find(".frame"));
      // Only the width of an empty line is watched: what is drawn changes heights, which would call the observer again.
      new ResizeObserver(() => this.layout()).observe(find(".ruler"));
    }

    tile(figure, k) {
      const item = document.createElement("li");
      const key = k < 9 ? `<kbd>${k + 1}</kbd>` : "";
      item.innerHTML = `<button type="button"><canvas></canvas></button><div>${key}<span class="side"></span></div>`;
      item.querySelector(".side").before(...figure.querySelector("figcaption").cloneNode(true).childNodes);
      const button = item.querySelector("button");
      button.setAttribute("aria-label", `${this.labels[k]}: show at the right`);
      button.addEventListener("click", () => this.put(1, k, this.alone === null ? null : k));
      return item;
    }

    /* The error map's colours, as srlib chose them: so many, evenly from 0 to data-error-top grey levels. */
    legend() {
      const hexes = this.dataset.errorColours.match(/.{6}/g);
      this.colours = hexes.map((hex) => hex.match(/../g).map((part) => parseInt(part, 16)));
      const canvas = Object.assign(this.find(".legend canvas"), { width: hexes.length, height: 1 });
      const image = new ImageData(hexes.length, 1);
      this.colours.forEach((colour, k) => image.data.set([...colour, 255], 4 * k));
      context(canvas).putImageData(image, 0, 0);
      this.find(".legend span:last-child").textContent = `${this.dataset.errorTop} and more grey levels of luma`;
    }

    /* What is drawn for a picture: itself, or its error. */
    shown(k) {
      if (!this.error || k === this.original) return this.pictures[k];
      if (this.errors[k]) return this.errors[k];
      const [lumas, originals] = [k, this.original].map((n) => luma(this.pictures[n], this.dataset.colour === "grey"));
      const image = new ImageData(this.width, this.height);
      const last = this.colours.length - 1;
      lumas.forEach((value, p) => {
        const place = last * Math.min(1, Math.abs(value - originals[p]) / Number(this.dataset.errorTop));
        const low = Math.min(last - 1, Math.floor(place));
        const [from, to] = [this.colours[low], this.colours[low + 1]];
        image.data.set([...from.map((part, c) => Math.round(part + (to[c] - part) * (place - low))), 255], 4 * p);
      });
      this.errors[k] = blank(this.width, this.height);
      context(this.errors[k]).putImageData(image, 0, 0);
      return this.errors[k];
    }

    /* Screen pixels for one of the picture: a whole number of the device's, or less than one where there is no room. */
    factor(room, size) {
      const ratio = window.devicePixelRatio || 1;
      return room * ratio < size ? room / size : Math.floor((room * ratio) / size) / ratio;
    }

    layout() {
      const room = this.find(".ruler").clientWidth;
      if (!room) return; // not displayed
      const wide = room >= 560;
      this.find(".stage").classList.toggle("wide", wide);
      const high = Math.max(1, this.factor(0.8 * window.innerHeight, this.height)); // to see it without scrolling
      this.scale = Math.min(high, this.factor(wide ? room - 200 : room, this.width)); // the controls beside it
      for (const part of [".view", ".frame", ".frame canvas"]) this.find(part).style.width = `${this.width * this.scale}px`;
      this.main.classList.toggle("smooth", this.scale < 1);
      this.main.style.height = `${this.height * this.scale}px`;
      this.draw();
    }

    draw() {
      const [left, right] = this.sides;
      const canvas = context(this.main);
      canvas.drawImage(this.shown(this.alone ?? right), 0, 0);
      if (this.alone === null && this.at) {
        canvas.drawImage(this.shown(left), 0, 0, this.at, this.height, 0, 0, this.at, this.height);
      }
      const names = this.sides.map((k) => this.labels[k]);
      const what = this.alone === null ? `${names[0]} at the left, ${names[1]} at the right` : `${this.labels[this.alone]} alone`;
      const text = what + (this.error ? `; errors against ${this.dataset.hr} in place of pictures` : "");
      this.main.setAttribute("aria-label", text);
      if (this.find(".status").textContent !== text) this.find(".status").textContent = text; // spoken when it changes
      this.selects.forEach((select, side) => (select.value = this.sides[side]));
      this.find(".frame").classList.toggle("alone", this.alone !== null);
      this.find('[data-does="swipe"]').setAttribute("aria-pressed", this.alone === null);
      this.find('[data-does="error"]').setAttribute("aria-pressed", this.error);
      this.find(".legend").hidden = !this.error;
      const divider = this.find(".divider");
      divider.style.left = `${this.at * this.scale}px`;
      divider.setAttribute("aria-valuenow", this.at);
      divider.setAttribute("aria-valuetext", `${this.at} of ${this.width} columns show ${names[0]}`);
      this.drawZoom();
    }

    drawZoom() {
      const { top, left, height, width } = this.zoom;
      const rect = this.find(".rect");
      Object.entries({ top, left, height, width }).forEach(([name, n]) => (rect.style[name] = `${n * this.scale}px`));
      const place = `row ${top}, column ${left}, ${height} by ${width} pixels`;
      rect.setAttribute("aria-label", `Zoomed rectangle: ${place}. Arrows move it, plus and minus change its size`);
      this.tiles.forEach((tile, k) => {
        const canvas = tile.querySelector("canvas");
        const factor = this.factor(tile.clientWidth - 8, width); // 8: padding and border of the button
        Object.assign(canvas, { width, height });
        context(canvas).drawImage(this.shown(k), left, top, width, height, 0, 0, width, height);
        canvas.style.width = `${width * factor}px`;
        canvas.style.height = `${height * factor}px`;
        const sides = ["left", "right"].filter((_, side) => this.alone === null && this.sides[side] === k);
        tile.querySelector(".side").textContent = this.alone === k ? "alone" : sides.join(" and ");
        tile.querySelector("button").setAttribute("aria-pressed", this.alone === k || sides.includes("right"));
      });
    }

    put(side, k, alone = null) {
      this.sides[side] = k;
      this.alone = alone;
      this.draw();
    }

    slide(at) {
      this.at = clamp(Math.round(at), 0, this.width);
      this.alone = null;
      this.draw();
    }

    move(left, top) {
      this.zoom.left = clamp(Math.round(left), 0, this.width - this.zoom.width);
      this.zoom.top = clamp(Math.round(top), 0, this.height - this.zoom.height);
      this.drawZoom();
    }

    /* The next whole factor at which the rectangle fills its small picture. */
    resize(step) {
      const { top, left, height, width } = this.zoom;
      const room = this.tiles[0].clientWidth - 8;
      const most = Math.min(this.width, Math.floor(this.height / this.aspect));
      const least = Math.min(most, Math.ceil(24 / this.scale / Math.min(1, this.aspect))); // as wide as a finger needs
      let size = Math.floor(room / Math.max(1, Math.floor(room / width) + step));
      if (step < 0 && size <= width) size = most;
      this.zoom.width = clamp(size, least, most);
      this.zoom.height = clamp(Math.round(this.zoom.width * this.aspect), 1, this.height);
      this.move(left + (width - this.zoom.width) / 2, top + (height - this.zoom.height) / 2);
    }

    act(what) {
      if (what === "in" || what === "out") return this.resize(what === "in" ? 1 : -1);
      if (what === "error") this.error = this.original >= 0 && !this.error;
      if (what === "swipe") this.alone = null;
      if (what === "flip") this.alone = this.sides[this.alone === this.sides[0] ? 1 : 0];
      this.draw();
    }

    key(event) {
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select")) return;
      if (target.matches("button") && (key === " " || key === "Enter")) return;
      const letters = { " ": "flip", f: "flip", s: "swipe", Escape: "swipe", e: "error", "+": "in", "=": "in", "-": "out" };
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
      const does = letters[key.length === 1 ? key.toLowerCase() : key];
      const onRect = target.matches(".rect");
      const step = Math.max(1, Math.round(this.width / 80)) * (event.shiftKey ? 5 : 1);
      if (/^[1-9]$/.test(key) && Number(key) <= this.labels.length) {
        this.alone = Number(key) - 1;
        this.draw();
      } else if (does) this.act(does);
      else if (arrow && onRect) this.move(this.zoom.left + step * arrow[0], this.zoom.top + step * arrow[1]);
      else if (arrow && target.matches(".divider")) this.slide(this.at + step * (arrow[0] - arrow[1]));
      else if (key === "Home" && !onRect) this.slide(0);
      else if (key === "End" && !onRect) this.slide(this.width);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    /* In the rectangle a drag moves it; elsewhere a drag moves the divider and a tap brings the rectangle. */
    pointer(frame) {
      let drag = null;
      const place = (event) => {
        const box = this.main.getBoundingClientRect();
        return { x: (event.clientX - box.left) / this.scale, y: (event.clientY - box.top) / this.scale };
      };
      frame.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        const { x, y } = place(event);
        const kind = event.target.matches(".rect, .divider") ? event.target.className : "picture";
        drag = { kind, x, y, dx: x - (kind === "rect" ? this.zoom.left : this.at), dy: y - this.zoom.top, moved: false };
        this.find(kind === "rect" ? ".rect" : ".divider").focus({ preventScroll: true });
        frame.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      frame.addEventListener("pointermove", (event) => {
        if (!drag) return;
        const { x, y } = place(event);
        drag.moved ||= Math.hypot(x - drag.x, y - drag.y) * this.scale > 3;
        if (!drag.moved) return;
        if (drag.kind === "rect") this.move(x - drag.dx, y - drag.dy);
        else this.slide(drag.kind === "divider" ? x - drag.dx : x);
      });
      frame.addEventListener("pointerup", (event) => {
        const { x, y } = place(event);
        if (drag && !drag.moved && drag.kind === "picture" && y < this.height) {
          this.move(x - this.zoom.width / 2, y - this.zoom.height / 2);
        }
        drag = null;
      });
      frame.addEventListener("pointercancel", () => (drag = null));
    }
  }

  customElements.define("srlib-compare", Compare);
})();
