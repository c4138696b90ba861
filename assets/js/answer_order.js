// The page takes its answers in the order in which Python made them. Each says which of the visitor's it is (see
// app/serving/answer_number.py); one that overtook another on its way waits for it, or else the page would show what
// was asked for first.
"use strict";
(() => {
  const TAKEN_IN = 5; // ms until Gradio's script has taken in what it was sent
  const NUMBER = "dx-answer";

  /** `fetch` as Gradio's script is to have it; `plain` is the browser's. */
  const ordering = (plain) => {
    const onTheirWay = new Set(); // questions whose answers have not come in full
    const waiting = new Map(); // by number: answers that came before the one that was made before them
    let last = 0; // the number of the answer that was handed on last
    let pausing = false;

    /** Hands on the next of the answers that wait, if it is its turn: none that was made before it can still come. */
    const handOn = () => {
      if (pausing || !waiting.size) return;
      const number = Math.min(...waiting.keys()), { go, before } = waiting.get(number);
      if (number > last + 1 && before.size) return;
      waiting.delete(number);
      last = Math.max(last, number); // a server that was started again counts from the beginning
      go();
      pausing = true;
      setTimeout(() => ((pausing = false), handOn()), TAKEN_IN);
    };
    const arrived = (question) => {
      onTheirWay.delete(question);
      for (const { before } of waiting.values()) before.delete(question);
    };

    const ask = async (input, init) => {
      const question = {};
      onTheirWay.add(question);
      try {
        const answer = await plain(input, init), number = Number(answer.headers.get(NUMBER));
        if (!number) return answer;
        const body = await answer.arrayBuffer(); // a long one takes its time
        arrived(question);
        await new Promise((go) => {
          waiting.get(number)?.go(); // of a server that is no longer there
          waiting.set(number, { go, before: new Set(onTheirWay) });
          handOn();
        });
        return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
      } finally {
        arrived(question);
        handOn();
      }
    };

    return (input, init) => {
      const { pathname } = new URL(input?.url ?? input, "http://here");
      return pathname.endsWith("/run/predict") ? ask(input, init) : plain(input, init);
    };
  };

  globalThis.fetch = ordering(globalThis.fetch);
})();
