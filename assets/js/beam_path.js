// The path in view as a sentence, a token a button, and the hypotheses whose path can be fitted into the window.
"use strict";
(() => {
  const { answers, textOf } = dx.beamState;

  /** @type {Dx["beamPath"]} */
  dx.beamPath = (parts, state, act) => {
    const { paths, words } = parts;
    /** @type {number[] | null} */
    let shown = null; // the path
    let key = "";

    const answer = (node, place) =>
      dx.el(
        "button",
        {
          type: "button", class: "dx-tab", "data-path": node, "data-tip": dx.beamWords.filled(state.tree.labels.path, { n: place }),
          on: { click: () => act.fitPath(node) },
        },
        `#${place}`
      );
    const word = (node) => {
      const { tree } = state, step = tree.step[node];
      const go = () => act.choose(node, true);
      // No button: a line would break before and after each, in the middle of words.
      return dx.el(
        "span",
        {
          role: "button", class: "dx-word", tabindex: "-1", "data-step": step,
          on: { click: go, keydown: (event) => event.key === "Enter" && go() },
        },
        ...dx.token(textOf(tree, node).replaceAll("␣", " "))
      );
    };
    const build = () => {
      const { tree, path } = state;
      paths.setAttribute("aria-label", tree.labels.paths);
      words.setAttribute("aria-label", tree.labels.words);
      const focused = dx.focused(paths)?.dataset.path;
      paths.replaceChildren(...answers(tree).map((node) => answer(node, tree.sparse.answer[node] + 1)));
      paths.hidden = !paths.children.length;
      paths.querySelector(`[data-path="${focused}"]`)?.focus();
      const hadFocus = dx.focused(words);
      words.replaceChildren(...path.map(word));
      [shown, key] = [path, `${tree.key}.${tree.n_steps}`];
      if (hadFocus) words.children[state.step]?.focus({ preventScroll: true });
    };

    /** The step in view in it; what comes later is faint. */
    const show = () => {
      const { tree, path, step } = state;
      if (shown !== path || key !== `${tree.key}.${tree.n_steps}`) build();
      const last = path[path.length - 1];
      for (const button of paths.children)
        button.setAttribute("aria-pressed", String(state.fit === "path" && Number(button.dataset.path) === last));
      [...words.children].forEach((button, at) => {
        button.classList.toggle("dx-later", at > step);
        button.toggleAttribute("aria-current", at === step);
        button.tabIndex = at === step ? 0 : -1;
      });
      const now = words.children[step];
      if (!now) return;
      const above = now.offsetTop - words.offsetTop;
      if (above < words.scrollTop || above + now.offsetHeight > words.scrollTop + words.clientHeight)
        words.scrollTop = above - words.clientHeight / 3;
    };
    return { show };
  };
})();
