"""How long the stream stays open on which a tab gets the answers of its runs.

Gradio ends it with the last answer that is awaited. What a hand asks for in just that moment has reached the queue by
then, while the browser still believes the stream to be open and opens no other: nothing is ever heard of that run. So
the stream outlasts the last answer by a few seconds, which is when people click. Not for ever: a browser has six
connections to a server, for all of its tabs. What is asked in the moment in which it ends then,
`assets/js/answer_stream.js` listens to; the wait here also spares a new connection for each click.
"""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage

__all__ = ["LINGERS", "keep_streams_open"]

LINGERS = 4.0  # seconds after the last answer
LOOK_EVERY = 0.5  # seconds
STAY = "stay"  # stands among the events whose answers are awaited
TAB = ("x-gradio-user", "app")  # the header by which Gradio's own page is told from its clients, which wait for the end


def keep_streams_open(page: gr.Blocks) -> None:
    """Has the page's streams outlast their last answers; after `page.queue`."""
    queue = page._queue
    push, clean_events = queue.push, queue.clean_events
    waiting: dict[str, asyncio.Task[None]] = {}

    async def close_later(tab: str) -> None:
        quiet = 0.0
        while quiet < LINGERS:
            await asyncio.sleep(LOOK_EVERY)
            awaited = queue.pending_event_ids_session.get(tab, ())
            if STAY not in awaited:  # the tab has gone
                return
            quiet = 0.0 if len(awaited) > 1 else quiet + LOOK_EVERY
        messages = queue.pending_messages_per_session.get(tab)
        if messages is not None:  # the last answer, as Gradio sees it
            messages.put_nowait(ProcessCompletedMessage(output={}, success=True, event_id=STAY))

    async def pushed(body: Any, request: Any, username: str | None) -> Any:
        answer = await push(body, request, username)
        tab, (header, value) = body.session_hash, TAB
        awaited = queue.pending_event_ids_session.get(tab)
        if awaited is not None and request.headers.get(header) == value:
            awaited.add(STAY)
            if tab not in waiting:
                waiting[tab] = asyncio.create_task(close_later(tab))
                waiting[tab].add_done_callback(lambda _: waiting.pop(tab, None))
        return answer

    async def cleaned(*, session_hash: str | None = None, event_id: str | None = None) -> None:
        awaited = queue.pending_event_ids_session.get(session_hash)
        if awaited is not None:
            awaited.discard(STAY)
        await clean_events(session_hash=session_hash, event_id=event_id)

    queue.push, queue.clean_events = pushed, cleaned
