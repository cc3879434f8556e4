// Tables of class srlib-sortable sort when a column's head is pressed; a second press turns the order round.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.srlib-sortable")) {
    const heads = table.querySelectorAll("thead tr:last-child th"); // an empty head is a td
    heads.forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const value = (row) => {
          const cell = row.cells[head.cellIndex];
          const text = (cell?.dataset.value ?? cell?.textContent ?? "").trim();
          const number = parseFloat(text.replace(/[×,]/g, ""));
          return Number.isNaN(number) ? text : number;
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((one, other) => {
          const [a, b] = [value(one), value(other)];
          if (typeof a === typeof b) return (a > b) - (a < b);
          return typeof a === "number" ? 1 : -1;
        });
        body.append(...(descending ? rows.reverse() : rows));
      });
    });
  }
});
