// Shows how a resend of many comes on, with no jump of the page and with the focus where it was.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const BETWEEN = 5000;

  const look = async () => {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = document.querySelector("[data-chatitive-follow]");
    const fresh = page.querySelector("[data-chatitive-follow]");
    if (!fresh) {
      location.reload(); // logged out, or it is gone: the server says so
      return;
    }
    const hadFocus = shown.contains(document.activeElement);
    shown.replaceWith(fresh);
    if (hadFocus) {
      fresh.querySelector("[type=submit]")?.focus();
    }
  };

  const follow = () => {
    if (document.querySelector('[data-chatitive-follow="on"]')) {
      setTimeout(() => look().catch(() => {}).finally(follow), BETWEEN);
    }
  };
  follow();
});
