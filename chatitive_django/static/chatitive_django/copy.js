// Copies what a read-only text field holds; without it the text is selected and copied by hand.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-chatitive-copy]")) {
    const text = document.getElementById(button.dataset.chatitiveCopy);
    const told = button.parentElement.querySelector("[role=status]");
    if (!text || !told) {
      continue;
    }
    const byHand = () => {
      text.closest("details").open = true;
      text.focus();
      text.select();
      return document.execCommand("copy");
    };
    const copy = async () => {
      if (navigator.clipboard) {
        try {
          await navigator.clipboard.writeText(text.value);
          return true;
        } catch {
          return byHand();
        }
      }
      return byHand();
    };
    button.hidden = false;
    button.addEventListener("click", async () => {
      told.textContent = (await copy()) ? button.dataset.chatitiveCopied : button.dataset.chatitiveSelected;
    });
  }
});
