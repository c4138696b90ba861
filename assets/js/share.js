// Sharing: the address bar always holds the whole configuration; files to open and to keep; larger type; the keys.
"use strict";
(() => {
  const WRITE_AFTER = 200; // ms
  const PACK_FROM = 1500; // characters; shorter links stay readable with any base64 tool
  const HUB = "https://huggingface.co";

  const base64url = (bytes) => {
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const packed = async (bytes) => {
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  /** The value of `c=`, as app/export/permalink.py reads it. */
  dx.linkOf = async (configuration) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ v: 1, ...configuration }));
    const plain = base64url(bytes);
    if (plain.length < PACK_FROM || !window.CompressionStream) return plain;
    const small = `z.${base64url(await packed(bytes))}`;
    return small.length < plain.length ? small : plain;
  };

  const field = (selector) => /** @type {HTMLInputElement | null} */ (document.querySelector(selector));
  const value = (selector) => field(selector)?.value ?? "";
  /** What the link holds: all that differs from the page as it opens. */
  const configurationOf = (data, at, gallery) => {
    const out = {};
    const form = dx.knobForm || { mode: "sample", given: {} };
    if (gallery) out.view = `gallery:${gallery}`;
    if (data.chosen_lang) out.lang = data.lang;
    const model = value("#dx-model textarea, #dx-model input");
    // A folder of this machine is nobody else's business.
    if (model && model !== data.default_model && !/^([./~\\]|[a-z]:)/i.test(model)) out.model = model;
    if (form.mode !== "sample") out.mode = form.mode;
    if (Object.keys(form.given).length) out.knobs = form.given;
    for (const name of ["row", "step", "rank"]) if (Number.isInteger(at[name]) && (at[name] || name !== "row")) out[name] = at[name];
    const tab = document.querySelector(".dx-lab [data-part=tabs] [aria-pressed=true]")?.dataset.tab;
    if (tab && tab !== "words") out.tab = tab;
    if (value("#dx-ask input[type=radio]:checked") === "chat") {
      out.kind = "chat";
      const system = value("#dx-system textarea");
      if (system) out.system = system;
    }
    const prompt = value("#dx-prompt textarea");
    if (prompt) out.prompt = prompt;
    return out;
  };

  /** A trace file may be dropped anywhere on the page. */
  const acceptFiles = () => {
    const input = () => {
      const button = document.querySelector("#dx-open"); // Gradio sets the field beside it
      const inside = button?.querySelector("input[type=file]") ?? button?.parentElement?.querySelector(":scope > input[type=file]");
      return /** @type {HTMLInputElement | null | undefined} */ (inside);
    };
    const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      document.body.classList.add("dx-dropping");
    });
    document.addEventListener("dragleave", (event) => !event.relatedTarget && document.body.classList.remove("dx-dropping"));
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("dx-dropping");
      if (!hasFiles(event) || dx.closest(event, "input, textarea")) return;
      event.preventDefault();
      const target = input(), file = event.dataTransfer?.files[0];
      if (!target || !file) return;
      const files = new DataTransfer();
      files.items.add(file);
      target.files = files.files;
      target.dispatchEvent(new Event("change", { bubbles: true }));
    });
  };

  /** The list of the keys: `?` opens and closes it, as what is given back does. */
  const keyList = (dialog) => {
    const show = () => (dialog.open ? dialog.close() : dialog.showModal());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (dx.closest(event, "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select")) return;
      event.preventDefault();
      show();
    });
    return show;
  };

  dx.share = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const [copy, open, menu, save, kinds, large, keys, dialog] = [
      "copy", "open", "menu", "save", "kinds", "large", "keys", "dialog",
    ].map(part);
    /** @type {any} */
    let data = null;
    let at = {}; // row, step, rank in view
    let gallery = ""; // the recorded example in view, while nothing of it was changed
    let timer = 0;

    const write = async () => {
      timer = 0;
      if (!data || !dx.touched) return; // nobody's address is rewritten before they have done something
      const query = new URLSearchParams(location.search);
      query.set("c", await dx.linkOf(configurationOf(data, at, gallery)));
      if (data.chosen_lang) query.delete("lang");
      history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
      dx.keepAddress();
      if (data.space && window.parent !== window) window.parent.postMessage({ queryString: `c=${query.get("c")}` }, HUB);
    };
    const writeSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(write, WRITE_AFTER);
    };
    const changed = () => {
      if (dx.touched) gallery = "";
      writeSoon();
    };
    document.addEventListener("dx-knobs", (event) => {
      if (data && gallery && JSON.stringify(event.detail) !== JSON.stringify(data.form)) gallery = "";
      writeSoon();
    });
    document.addEventListener("dx-at", (event) => {
      at = event.detail;
      writeSoon();
    });
    document.addEventListener("input", (event) => dx.closest(event, "#dx-ask") && changed());
    document.addEventListener("click", (event) => dx.closest(event, ".dx-lab [data-tab]") && writeSoon());

    const link = async () => {
      const query = `c=${await dx.linkOf(configurationOf(data, at, gallery))}`;
      return data.space ? `${data.space}?${query}` : `${location.origin}${location.pathname}?${query}`;
    };
    copy.addEventListener("click", async () => {
      const url = await link();
      try {
        await navigator.clipboard.writeText(url);
        copy.textContent = data.labels.copied;
        setTimeout(() => (copy.textContent = data.labels.copy), 1600);
      } catch {
        window.prompt(data.labels.copy, url); // no clipboard without a secure address
      }
      copy.dataset.link = url;
    });

    open.addEventListener("click", () => document.querySelector("#dx-open")?.click());
    acceptFiles();
    keys.addEventListener("click", keyList(dialog));
    dx.closing(menu, save);
    large.addEventListener("click", () => {
      const on = document.body.classList.toggle("dx-large");
      large.setAttribute("aria-pressed", String(on));
      window.dispatchEvent(new Event("resize"));
    });

    const tour = () => {
      dialog.close();
      document.dispatchEvent(new CustomEvent("dx-tour"));
    };

    const update = () => {
      data = dx.parse(props.data, null);
      if (!data) return;
      const { labels } = data;
      gallery = data.gallery;
      for (const [button, name] of [[copy, "copy"], [open, "open"], [save, "save"], [keys, "keys"], [large, "large"]]) {
        button.textContent = labels[name];
        button.setAttribute("data-tip", labels[`${name}_tip`]);
      }
      keys.setAttribute("aria-label", labels.keys_tip);
      large.setAttribute("aria-label", labels.large_tip);
      document.body.dataset.drop = labels.drop;
      kinds.replaceChildren(
        ...data.kinds.map((kind) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-plain", "data-kind": kind.id, "data-tip": kind.tip,
              on: { click: () => ((menu.open = false), emit("export", { kind: kind.id })) },
            },
            kind.label
          )
        )
      );
      dialog.setAttribute("aria-label", labels.keys_tip);
      dialog.replaceChildren(
        dx.el("h2", {}, document.title),
        dx.el("p", {}, ...dx.sentence(data.what)),
        dx.el("button", { type: "button", class: "dx-plain", on: { click: tour } }, labels.tour),
        dx.el("h2", {}, labels.keys_title),
        dx.el("dl", {}, ...data.keys.flatMap(([key, what]) => [
          dx.el("dt", {}, ...key.split(" ").map((k) => dx.el("kbd", {}, k))), dx.el("dd", {}, what),
        ])),
        dx.el("button", { type: "button", class: "dx-plain", on: { click: () => dialog.close() } }, labels.close)
      );
      writeSoon();
    };
    watch(["data"], update);
    update();
  };
})();
