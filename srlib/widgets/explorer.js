/* The region of the explorer is dragged on its picture. Its place goes to Python through a hidden text field of the
   explorer, as shares of the height and the width: "0.25,0.5". The sliders do the same without this script. */
(() => {
  if (window.srlibExplorer) return; // the cell was run again
  window.srlibExplorer = true;
  let drag = null;

  const clamp = (value, top) => Math.min(Math.max(value, 0), top);

  const point = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const { width, height } = svg.viewBox.baseVal;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };

  document.addEventListener("pointerdown", (event) => {
    const picture = event.target.closest?.(".srlib-pick");
    if (!picture || event.button) return;
    event.preventDefault();
    const svg = picture.querySelector("svg");
    const boxes = [...svg.querySelectorAll("rect")];
    const [x, y] = point(svg, event);
    const [left, top, side] = ["x", "y", "width"].map((name) => boxes[0][name].baseVal.value);
    const inside = x >= left && x <= left + side && y >= top && y <= top + side;
    // Outside the region its middle comes to where the pointer is.
    drag = { svg, boxes, side, dx: inside ? x - left : side / 2, dy: inside ? y - top : side / 2 };
    move(event);
  });

  const move = (event) => {
    if (!drag) return;
    const [x, y] = point(drag.svg, event);
    const { width, height } = drag.svg.viewBox.baseVal;
    drag.left = clamp(x - drag.dx, width - drag.side);
    drag.top = clamp(y - drag.dy, height - drag.side);
    for (const box of drag.boxes) {
      box.setAttribute("x", drag.left);
      box.setAttribute("y", drag.top);
    }
  };
  document.addEventListener("pointermove", move);
  document.addEventListener("pointercancel", () => (drag = null));

  document.addEventListener("pointerup", () => {
    if (!drag) return;
    const { width, height } = drag.svg.viewBox.baseVal;
    const field = drag.svg.closest(".srlib-explorer").querySelector(".srlib-place input");
    field.value = `${drag.top / height},${drag.left / width}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
    drag = null;
  });
})();
