"use strict";
// Pages work without this: it adds a button that copies a command, and arrow keys in the calendar.
for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command " + command.textContent.trim());
  button.addEventListener("click", async () => {
    const text = command.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(command.querySelector("code"));
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  command.append(button);
}
for (const calendar of document.querySelectorAll("table.calendar")) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  calendar.addEventListener("keydown", (event) => {
    const step = steps[event.key], cell = event.target.closest("td, th");
    if (!step || !cell) return;
    const rows = [...calendar.tBodies[0].rows], row = rows.indexOf(cell.parentElement);
    for (let y = row + step[0], x = cell.cellIndex + step[1]; rows[y] && rows[y].cells[x]; y += step[0], x += step[1]) {
      const link = rows[y].cells[x].querySelector("a");
      if (link) { link.focus(); event.preventDefault(); return; }
    }
  });
}
const STATES = {
  authoritative: "authoritative", unchanged: "unchanged lately", not_due: "not due yet", not_expected: "not expected",
};
for (const calendar of document.querySelectorAll("table.calendar")) {
  // The newest days are the ones that are asked about.
  calendar.parentElement.scrollLeft = calendar.parentElement.scrollWidth;
  const days = calendar.tHead.rows[1].cells;
  calendar.addEventListener("mouseover", (event) => {
    const cell = event.target.closest("tbody td");
    if (!cell || cell.title) return;
    const said = cell.firstElementChild && cell.firstElementChild.getAttribute("aria-label");
    cell.title = said || days[cell.cellIndex].lastElementChild.textContent + ": " + STATES[cell.className];
  });
  calendar.addEventListener("click", (event) => {
    const cell = event.target.closest("tbody td"), link = cell && !cell.querySelector("a") && cell.parentElement.querySelector("th a");
    if (link && calendar.classList.contains("groups")) link.click();
  });
}
