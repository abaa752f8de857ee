// Shows of a rule's form what its trigger and its field need. Without it everything is shown.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const trigger = document.getElementById("id_trigger");
  const field = document.getElementById("id_field");
  if (!trigger || !field) {
    return;
  }
  const show = (element, isShown) => element?.classList.toggle("chatitive-unneeded", !isShown);
  const row = (name) => document.querySelector(`.form-row.field-${name}`);

  const arrange = () => {
    const changes = trigger.value === "changed";
    show(row("field"), trigger.value !== "created" && trigger.value !== "deleted");
    show(row("on_create"), changes);
    for (const name of ["from_values", "to_values"]) {
      show(row(name), changes && field.value);
      let chooses = false;
      for (const group of row(name)?.querySelectorAll("[data-chatitive-field]") ?? []) {
        const isOurs = group.dataset.chatitiveField === field.value;
        chooses ||= isOurs;
        show(group, isOurs);
      }
      const text = row(name)?.querySelector("[data-chatitive-text]");
      show(text, !chooses || text?.querySelector("input").value);
    }
  };

  trigger.addEventListener("change", arrange);
  field.addEventListener("change", arrange);
  arrange();
});
