/* The region of the explorer is dragged on its picture. Its place goes to Python through a hidden text field of the
   explorer, as shares of the height and the width: "0.25,0.5". The sliders do the same without this script. */
(() => {
  if (window.srlibExplorer) return; // the cell was run again
  window.srlibExplorer = true;
  const clamp = (value, top) => Math.min(Math.max(value, 0), top);

  document.addEventListener("pointerdown", (event) => {
    const picture = event.target.closest?.(".srlib-pick");
    if (!picture || event.button) return;
    event.preventDefault();
    const svg = picture.querySelector("svg");
    const boxes = [...svg.querySelectorAll("rect")];
    const { width, height } = svg.viewBox.baseVal;
    const point = ({ clientX, clientY }) => {
      const box = svg.getBoundingClientRect();
      return [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height];
    };
    let [left, top, side] = ["x", "y", "width"].map((name) => boxes[0][name].baseVal.value);
    const [x, y] = point(event);
    const inside = x >= left && x <= left + side && y >= top && y <= top + side;
    const [dx, dy] = inside ? [x - left, y - top] : [side / 2, side / 2]; // outside, the middle comes to the pointer

    picture.onpointermove = (event) => {
      const [x, y] = point(event);
      left = clamp(x - dx, width - side);
      top = clamp(y - dy, height - side);
      for (const box of boxes) {
        box.setAttribute("x", left);
        box.setAttribute("y", top);
      }
    };
    picture.onpointerup = () => {
      const field = picture.closest(".srlib-explorer").querySelector(".srlib-place input");
      field.value = `${top / height},${left / width}`;
      for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
    };
    picture.onlostpointercapture = () => (picture.onpointermove = picture.onpointerup = null); // after up or cancel
    picture.setPointerCapture(event.pointerId);
    picture.onpointermove(event);
  });
})();
