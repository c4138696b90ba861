// What the run came to, as plain text: prompt and answers, to read and to copy. All of it is text nodes.
"use strict";
(() => {
  const COPIED_FOR = 1600; // ms

  /** What the rows say after lines of a streaming run: each keeps so many characters, and its text follows. */
  dx.answerTexts = (texts, lines) => {
    const out = texts.slice();
    for (const line of lines.split("\n")) {
      const piece = dx.parse(line, null);
      if (!piece || !(piece.row in out)) continue;
      out[piece.row] = [...out[piece.row]].slice(0, piece.keep).join("") + piece.text;
    }
    return out;
  };
  /** A prompt as it is copied: roles only where there are any. */
  const asked = (prompt) => prompt.parts.map((part) => (part.who ? `${part.who}: ${part.text}` : part.text)).join("\n\n");
  /** Everything as text: each prompt with its answers. */
  dx.answerAll = (data, texts) =>
    data.prompts
      .map((prompt, i) => {
        const mine = texts.filter((_, row) => data.answers[row].prompt === i);
        if (prompt.goes_on && mine.length === 1) return asked(prompt) + mine[0];
        return [asked(prompt), ...mine.map((text) => text.trim())].join("\n\n");
      })
      .join("\n\n---\n\n");

  dx.copyText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no clipboard without a secure address
      const field = dx.el("textarea", { class: "dx-sr", "aria-hidden": "true", tabindex: "-1" }, text);
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };

  dx.answer = (element, props, watch) => {
    const part = dx.partsOf(element);
    const [title, body, fold, copy, copyAll] = ["title", "body", "fold", "copy", "copy-all"].map(part);
    /** @type {any} */
    let data = null;
    let lines = "";
    let texts = []; // of the answers, by row
    let nodes = []; // that hold them
    let open = false; // the visitor unfolded it

    const copying = (button, label, text) =>
      button.addEventListener("click", async () => {
        await dx.copyText(text());
        button.textContent = data.labels.copied;
        setTimeout(() => (button.textContent = label()), COPIED_FOR);
      });
    const say = (row) => {
      const goes_on = data.prompts[data.answers[row].prompt].goes_on && !element.classList.contains("dx-several");
      const shown = goes_on ? texts[row].trimEnd() : texts[row].trim(); // a line's end at the end is an empty line
      nodes[row].textContent = shown || data.streaming ? shown : data.labels.empty;
      nodes[row].classList.toggle("dx-answer-empty", !texts[row] && !data.streaming);
    };

    const question = (prompt) =>
      prompt.parts.map((one) =>
        dx.el(
          "p", { class: "dx-asked", dir: "auto" },
          one.who ? dx.el("b", {}, one.who) : null, one.who ? " " : null, dx.el("bdi", {}, one.text)
        )
      );
    const text = (row) => {
      nodes[row] = dx.el("span", { class: "dx-answer-text", dir: "auto" });
      say(row);
      return nodes[row];
    };
    /** One of several answers: its number leads to its end in the tree. */
    const line = (answer, row) => {
      const number = answer.at
        ? dx.el("button", {
            type: "button", class: "dx-link", "data-tip": data.labels.show_tip,
            on: { click: () => document.dispatchEvent(new CustomEvent("dx-beam-pick", { detail: answer.at })) },
          }, answer.label)
        : answer.label;
      const button = dx.el("button", { type: "button", class: "dx-link dx-answer-copy", "data-tip": data.labels.copy_tip }, data.labels.copy);
      button.setAttribute("aria-label", `${data.labels.copy} ${answer.label}`);
      copying(button, () => data.labels.copy, () => texts[row]);
      const detail = [answer.detail, answer.tail].filter(Boolean).join(" · ");
      return dx.el(
        "li", {}, dx.el("span", { class: "dx-answer-number" }, number),
        dx.el("div", {}, text(row), detail ? dx.el("span", { class: "dx-answer-detail" }, detail) : null), button
      );
    };
    const block = (prompt, i) => {
      const mine = data.answers.map((answer, row) => [answer, row]).filter(([answer]) => answer.prompt === i);
      const label = prompt.label ? dx.el("h3", {}, prompt.label) : null;
      if (mine.length !== 1) return dx.el("div", {}, label, ...question(prompt), dx.el("ol", {}, ...mine.map((one) => line(...one))));
      if (!prompt.goes_on) return dx.el("div", {}, label, ...question(prompt), dx.el("p", {}, text(mine[0][1])));
      return dx.el("div", {}, label, dx.el("p", { dir: "auto" }, dx.el("span", { class: "dx-asked" }, prompt.parts[0].text), text(mine[0][1])));
    };

    /** Long texts fold; while one comes in, its end is in view. */
    const showFold = () => {
      body.classList.toggle("dx-folded", !open);
      const long = open || body.scrollHeight > body.clientHeight + 4;
      fold.hidden = !long;
      fold.textContent = open ? data.labels.less : data.labels.more;
      fold.setAttribute("aria-expanded", String(open));
      if (!open && data.streaming) body.scrollTop = body.scrollHeight;
    };
    const update = () => {
      data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      lines = props.lines || "";
      texts = dx.answerTexts(data.answers.map((answer) => answer.text), lines);
      nodes = [];
      element.classList.toggle("dx-several", data.answers.length > 1 || data.prompts.length > 1);
      element.setAttribute("aria-label", data.title);
      title.textContent = data.title;
      body.setAttribute("aria-label", data.title);
      body.replaceChildren(...data.prompts.map(block));
      for (const [button, name] of [[copy, "copy"], [copyAll, "copy_all"]]) {
        button.textContent = data.labels[name];
        button.setAttribute("data-tip", data.labels[`${name}_tip`]);
      }
      if (!data.streaming) body.scrollTop = 0;
      showFold();
    };
    const grow = () => {
      const now = props.lines || "";
      if (!data || now === lines) return;
      if (!now.startsWith(lines)) return update();
      texts = dx.answerTexts(texts, now.slice(lines.length));
      lines = now;
      nodes.forEach((_, row) => say(row));
      showFold();
    };
    copying(copy, () => data.labels.copy, () => texts.map((one) => one.trim()).join("\n\n"));
    copying(copyAll, () => data.labels.copy_all, () => dx.answerAll(data, texts));
    fold.addEventListener("click", () => {
      open = !open;
      showFold();
      if (!open) body.scrollTop = 0;
    });
    new ResizeObserver(() => data && showFold()).observe(element);
    watch(["data"], update);
    watch(["lines"], grow);
    update();
  };
})();
