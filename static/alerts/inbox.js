// The inbox: what is chosen survives the list's renewal; keys move in the list.
(() => {
  const form = document.getElementById("inbox-form");
  if (!form) return;
  const picks = () => [...form.querySelectorAll("input[name=alert]")];
  const links = () => [...form.querySelectorAll(".alerts-title")];
  const bulk = form.querySelector("[data-bulk]");

  const tell = () => {
    if (!bulk) return;
    const all = bulk.querySelector("[data-all]");
    const boxes = picks();
    const chosen = boxes.filter((box) => box.checked).length;
    const matching = bulk.querySelector("[data-matching]").checked;
    all.checked = boxes.length > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    bulk.querySelector("[data-chosen]").textContent = matching ? "All chosen" : `${chosen} chosen`;
    const idle = !chosen && !matching;
    for (const button of bulk.querySelectorAll("button")) button.disabled = idle;
    bulk.classList.toggle("alerts-idle", idle);
  };

  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of picks()) box.checked = event.target.checked;
    }
    tell();
  });

  // An alert that has changed since it was chosen has another version: it is chosen no more, and
  // the new list shows why. Focus stays with the alert that had it.
  let chosen = new Set();
  document.addEventListener("htmx:beforeSwap", () => {
    chosen = new Set(picks().filter((box) => box.checked).map((box) => box.value));
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const box of picks()) box.checked = chosen.has(box.value);
    const list = document.getElementById("inbox-list");
    document.getElementById("inbox-news").textContent = `The list has changed: ${list.dataset.news}`;
    tell();
  });

  const move = (step) => {
    const rows = links();
    const row = document.activeElement.closest(".alerts-row");
    const here = rows.findIndex((link) => row?.contains(link));
    const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
    next?.focus();
    next?.closest(".alerts-row").scrollIntoView({ block: "nearest" });
  };
  form.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest(".alerts-row");
    if (row && event.key === "j") move(1);
    else if (row && event.key === "k") move(-1);
    else if (row && event.key === "x") row.querySelector("input[name=alert]")?.click();
    else if (event.key === "Escape") {
      for (const menu of form.querySelectorAll("details[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
  });
  // One menu at a time.
  bulk?.addEventListener("toggle", (event) => {
    if (!event.target.open) return;
    for (const menu of bulk.querySelectorAll("details[open]")) {
      if (menu !== event.target) menu.open = false;
    }
  }, true);
  tell();
  // After Back the browser ticks what was ticked, only now, or shows the page as it was left.
  window.addEventListener("pageshow", tell);
})();
