// What pages of one file share: the reader's colour scheme, and data that was packed into them.
"use strict";
(() => {
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", prefersDark.matches);
  follow();
  prefersDark.addEventListener("change", follow);

  const read = (id) => JSON.parse(/** @type {HTMLElement} */ (document.getElementById(id)).textContent);
  const unpacked = async (base64) => {
    const raw = atob(base64);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  dx.offline = {
    read,
    unpacked,
    /** Runs a script whose hash the page's policy names; no other text could run. */
    run: (text) => document.head.append(dx.el("script", {}, text)),
    /** From now on the scheme is the reader's own choice. */
    keepScheme: () => prefersDark.removeEventListener("change", follow),
  };
})();
