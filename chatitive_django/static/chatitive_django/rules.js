// Shows of a rule's form what its trigger and its field need; without it everything is shown.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const trigger = document.getElementById("id_trigger");
  const field = document.getElementById("id_field");
  if (!trigger || !field) {
    return;
  }
  const show = (element, isShown) => element?.classList.toggle("chatitive-unneeded", !isShown);
  const row = (name) => document.querySelector(`.field-${name}`);

  const arrange = () => {
    const changes = trigger.value === "changed";
    show(row("field"), trigger.value !== "created" && trigger.value !== "deleted");
    show(row("on_create"), changes);
    for (const name of ["from_values", "to_values", "seen_lately"]) {
      let chooses = false;
      for (const group of row(name)?.querySelectorAll("[data-chatitive-field]") ?? []) {
        const isOurs = group.dataset.chatitiveField === field.value;
        chooses ||= isOurs;
        show(group, isOurs);
      }
      const text = row(name)?.querySelector("[data-chatitive-text]");
      show(text, !chooses || text?.querySelector("input").value);
      show(row(name), changes && field.value && (chooses || text));
    }
  };

  // As high as what it shows; nothing before it shows something.
  const frame = document.querySelector(".chatitive-frame");
  if (frame) {
    frame.style.height = "0";
    frame.addEventListener("load", () => {
      const shown = frame.contentDocument?.querySelector("main");
      const page = document.documentElement;
      if (shown && !page.dataset.theme) { // a theme that isn't Django's
        const isDark = page.matches('.dark, [data-bs-theme="dark"]');
        frame.contentDocument.documentElement.dataset.theme = isDark ? "dark" : "light";
      }
      frame.style.height = shown ? `${shown.scrollHeight + 40}px` : "0";
    });
  }

  trigger.addEventListener("change", arrange);
  field.addEventListener("change", arrange);
  arrange();
});
