// The stream on which the page hears all of its answers. The server ends it when nothing more is awaited; what the
// page asks in just that moment is answered in the next stream, and Gradio's script, which still takes the old one for
// open, would not listen to it until something else is asked. Here the stream goes on where an answer is still awaited,
// and what was asked is told to Gradio's script only when that has taken in that a stream has ended.
"use strict";
(() => {
  const TAKEN_IN = 5; // ms until Gradio's script has taken in what it was sent
  const BEGINS = /^data: ?\{"msg":"(\w+)","event_id":(?:"([^"]*)"|null)/; // of a message, which may be long

  /** What a message says and of which event, without reading its answer. */
  const headOf = (message) => {
    const [, msg, event_id] = BEGINS.exec(message) ?? [];
    if (msg) return { msg, event_id };
    try {
      return JSON.parse(message.replace(/^data:/, "")) ?? {};
    } catch {
      return {};
    }
  };

  /** The messages of a stream, one by one, as they came. */
  const messagesOf = async function* (body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (let part; !(part = await reader.read()).done; ) {
        const whole = (rest + part.value).split("\n\n");
        rest = whole.pop() ?? "";
        yield* whole;
      }
      if (rest) yield rest;
    } finally {
      reader.cancel().catch(() => {});
    }
  };

  /** `fetch` as Gradio's script is to have it; `plain` is the browser's. */
  const listening = (plain) => {
    const asked = new Set(), early = new Set(); // events without an answer; those answered before they had a number
    let ending = Promise.resolve();
    const forget = () => (asked.clear(), early.clear()); // Gradio's script tells all that awaits an answer of the break

    const join = async (input, init) => {
      const answer = await plain(input, init);
      const event_id = (await answer.clone().json().catch(() => null))?.event_id;
      if (event_id && !early.delete(event_id)) asked.add(event_id);
      await ending;
      return answer;
    };

    const goOn = async function* (answer, again) {
      for (;;) {
        let goesOn = false, isOver = false;
        for await (const message of messagesOf(answer.body)) {
          const { msg, event_id } = headOf(message);
          if (msg === "process_completed" && event_id && !asked.delete(event_id)) early.add(event_id);
          goesOn = msg === "close_stream" && asked.size > 0;
          if (goesOn) break;
          isOver = msg === "close_stream";
          if (isOver) ending = new Promise((done) => setTimeout(done, TAKEN_IN));
          yield message;
        }
        if (!goesOn && !isOver) forget(); // it was cut
        if (!goesOn) return;
        answer = await again();
        if (!answer.ok || !answer.body) throw new TypeError(`no answers: ${answer.status}`);
      }
    };

    const listen = async (input, init) => {
      const answer = await plain(input, init);
      if (!answer.ok || !answer.body) return answer;
      const messages = goOn(answer, () => plain(input, init)), coded = new TextEncoder();
      const body = new ReadableStream({
        async pull(controller) {
          const { done, value } = await messages.next().catch((error) => {
            forget();
            throw error;
          });
          if (done) controller.close();
          else controller.enqueue(coded.encode(`${value}\n\n`));
        },
        cancel: () => void messages.return(),
      });
      return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
    };

    return (input, init) => {
      const { pathname } = new URL(input?.url ?? input, "http://here");
      if (pathname.endsWith("/queue/data")) return listen(input, init);
      return pathname.endsWith("/queue/join") ? join(input, init) : plain(input, init);
    };
  };

  globalThis.fetch = listening(globalThis.fetch);
})();
