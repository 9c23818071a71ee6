// A new reorder point begins with what is in force in the store that is chosen, and in its time.
// Without this the server fills it in when the form is sent.
(() => {
  const $ = window.django?.jQuery;
  if (!$) return;

  const field = (part, name) => document.querySelector(`[name="${part}${name}"]`);

  // What somebody has typed stays; what was filled in for another store is replaced.
  const fill = (part, values) => {
    for (const [name, value] of Object.entries(values)) {
      const input = field(part, name);
      if (!input || (input.dataset.typed && name !== "based_on")) continue;
      input.value = value;
    }
    const help = field(part, "effective_from_0")?.closest(".group")?.querySelector("[id$=helptext], .leading-relaxed");
    if (help && values.zone) help.textContent = `${values.zone}; empty is now. Of a time that the clocks repeat, the first.`;
  };

  const renew = async (part) => {
    const store = field(part, "store")?.value;
    const product = part ? document.querySelector("[data-product]")?.dataset.product : field(part, "product")?.value;
    if (!store || (!product && part)) return;
    const query = new URLSearchParams({ store, product: product ?? "" });
    const answer = await fetch(`/inventory/reorderpoint/start/?${query}`);
    if (answer.ok) fill(part, await answer.json());
  };

  document.addEventListener("input", (event) => {
    if (/(^|-)(reorder_point|order_up_to|order_multiple|lead_time_days|effective_from_[01])$/.test(event.target.name ?? "")) {
      event.target.dataset.typed = "yes";
    }
  });
  // Select2 tells jQuery alone.
  $(document).on("change", "select", (event) => {
    const found = /^(.*?)(store|product)$/.exec(event.target.name ?? "");
    if (found && field(found[1], "effective_from_0")) renew(found[1]);
  });
})();
