"""`Guard`: what every request passes before Gradio, and every answer on its way out; `bounds.TABLE` has the bounds."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answer_number import HEADER, AnswerNumber, expect_answer
from .bodies import BoundedBody, announced_length
from .bounds import Bounds
from .doors import check_door, is_api, is_upload
from .environment import Environment
from .failures import failures, text_for
from .headers import check_origin, preflight, set_headers
from .json_bodies import checked_json
from .operation import Operation
from .passing_files import PassingFiles
from .rates import Rates
from .refusal import Refusal, Refusals
from .visitors import address_of
from .watching import HEALTH

if TYPE_CHECKING:
    import gradio as gr

__all__ = ["Guard", "guarded"]

NAMED = re.compile(r"/gradio_api/(?:call|run|api)/(?:v2/)?([^/]+)/?")  # POSTs that name what they ask for
TAB = re.compile(r"[\w-]{1,64}", re.ASCII)
TAB_AT_END = re.compile(rb'"session_hash"\s*:\s*"([\w-]{1,64})"')
AGAIN = 10  # seconds after which one who found no room may try again


class Guard:
    """ASGI around a whole app, its own answers to errors included.

    Args:
        app: what is guarded.
        bounds: that hold here.
        environment: how the server is run.
        page: Gradio's; says what a request is for.
        is_run: whether one of its functions uses the model, asked with an address that ends in this query.
        files: the only ones that are served from a folder.
        operation: counts what is refused; begins nothing once it stops.
        refusals: where the page finds why something was not begun.
    """

    def __init__(
        self, app: ASGIApp, bounds: Bounds, environment: Environment, page: gr.Blocks,
        is_run: Callable[[Any, str], bool], files: PassingFiles, operation: Operation, refusals: Refusals,
    ) -> None:  # fmt: skip
        self._app, self._bounds, self._environment = app, bounds, environment
        self._page, self._is_run = page, is_run
        self._files, self._operation, self._refusals = files, operation, refusals
        self._rates = Rates(bounds)
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or lets Gradio do it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    def _address_of(self, scope: Scope) -> str:
        return address_of(scope, self._environment.proxies, self._environment.behind_private)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, expect_answer())
        bound = self._bounds
        upload = is_upload(_path(scope))
        length = announced_length(Headers(scope=scope).get("content-length"))
        most, what = (bound.upload_bytes, "upload") if upload else (bound.body_bytes, "body")
        body = BoundedBody(receive, length, most, bound.body_seconds, what)
        try:
            answer.origin = check_origin(scope, public=self._environment.public)
            if (allowed := preflight(scope, answer.origin)) is not None:
                await allowed(scope, receive, answer)
                return
            async with self._let_in(scope, body, upload) as let_in:
                await self._app(scope, let_in, answer.unless(lambda: body.refusal is not None))
        except Refusal as refusal:
            body.refusal = body.refusal or refusal
        except Exception as error:
            await self._failed(error, scope, receive, answer)
        if body.refusal is not None:
            await self._refuse(body, scope, receive, answer)

    @asynccontextmanager
    async def _let_in(self, scope: Scope, body: BoundedBody, upload: bool) -> AsyncIterator[Receive]:
        """Looks at all that can be known of a request; gives what its body is then read with."""
        path, address = _path(scope), self._address_of(scope)
        check_door(path, self._files.folder)
        with self._counted(address) if path != HEALTH else contextlib.nullcontext():
            if is_api(path):
                self._rates.count("address_requests", address)
            if upload:
                self._check_upload(address)
                yield _read_as_upload(body)
            elif scope["method"] in ("GET", "HEAD"):
                yield body.receive
            else:
                yield self._read(await body.whole(), path, scope["query_string"].decode("latin-1"), address, body)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """The request among those that are open."""
        for name, n in (("open_requests", self._open.total()), ("address_open", self._open[address])):
            most = getattr(self._bounds, name)
            if most is not None and n >= most:
                raise Refusal(status=503, why="open", bound=name, asked=n + 1, allowed=most, seconds=AGAIN)
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _check_upload(self, address: str) -> None:
        self._rates.count("address_uploads", address)
        most = self._bounds.uploaded_bytes
        if most is not None and (n := self._files.nbytes()) + self._bounds.upload_bytes > most:
            raise Refusal(status=503, why="room", bound="uploaded_bytes", asked=n, allowed=most, seconds=60)

    def _read(self, content: bytes, path: str, query: str, address: str, body: BoundedBody) -> Receive:
        """Looks into what a body says; gives what reads it again.

        Raises:
            Refusal: it is not let in.
        """
        if content and is_api(path):
            said = checked_json(content, self._bounds)
            tab = _tab_of(said)
            self._rates.count("tab_requests", tab)
            asked_for = self._asked_for(path, said)
            if asked_for is not None and self._is_run(asked_for, query):
                self._count_run(address, tab)
        left = [content]

        async def again() -> Message:
            if left:
                return {"type": "http.request", "body": left.pop(), "more_body": False}
            return await body.receive()

        return again

    def _count_run(self, address: str, tab: str) -> None:
        if self._operation.stopping.is_set():
            raise Refusal(status=503, why="stopping", seconds=AGAIN)
        self._rates.count("address_runs", address)
        self._rates.count("tab_runs", tab)

    def _asked_for(self, path: str, said: Any) -> Any:
        """The page's function that is called, or None where none is.

        Raises:
            Refusal: there is no such function.
        """
        named = NAMED.fullmatch(path)
        index = said.get("fn_index") if isinstance(said, dict) else None
        if index is not None and type(index) is not int:  # "3" is 3 to those who read it next
            raise Refusal(status=400, why="shape", asked="fn_index")
        if index is not None:
            asked_for = self._page.fns.get(index)
        else:
            name = named[1] if named else None
            asked_for = next((fn for fn in self._page.fns.values() if name and fn.api_name == name), None)
        if asked_for is None and (named or path.startswith("/gradio_api/queue/join")):
            raise Refusal(status=404, why="shape", asked="fn_index")
        return asked_for

    async def _refuse(self, body: BoundedBody, scope: Scope, receive: Receive, answer: Answer) -> None:
        refusal = body.refusal
        self._operation.metrics.refused(refusal.bound or refusal.why)
        if not answer.began:
            await body.pour_away()
            if tab := TAB_AT_END.search(body.tail):  # of a body that is too long nothing else was kept
                self._refusals.note(tab[1].decode(), refusal)
            await refusal.response(text_for(Headers(scope=scope)))(scope, receive, answer)

    async def _failed(self, error: Exception, scope: Scope, receive: Receive, answer: Answer) -> None:
        """Starlette answers that something failed, and raises it again for whoever wants to log it: that was done."""
        if not answer.began:
            said = failures().said(error, text_for(Headers(scope=scope)))
            await JSONResponse({"detail": said, "why": "failed"}, status_code=500)(scope, receive, answer)


class Answer:
    """Where an answer is sent; its headers are set on the way.

    Attributes:
        origin: whose pages may read it, see `headers.check_origin`.
        began: whether anything of it was sent.
    """

    def __init__(self, send: Send, place: AnswerNumber) -> None:
        self._send, self._place = send, place
        self.origin: str | None = None
        self.began = False

    async def __call__(self, message: Message) -> None:
        """Sends a part of it."""
        if message["type"] == "http.response.start":
            self.began = True
            set_headers(message, self.origin)
            if self._place.number is not None:
                MutableHeaders(scope=message)[HEADER] = str(self._place.number)
            self._place.is_sent = True
        await self._send(message)

    def unless(self, refused: Callable[[], bool]) -> Send:
        """The same for what is let in: nothing is sent once the request is refused and the answer has not begun."""

        async def send(message: Message) -> None:
            if self.began or not refused():
                await self(message)

        return send


def guarded(make: Callable[[ASGIApp], Guard]) -> Any:
    """FastAPI's `lifespan` that puts a guard around the whole app.

    What is given as middleware stands within Gradio's own, which answers some requests by itself; the stack is there
    when the lifespan begins, and no request has come yet.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.middleware_stack = make(app.middleware_stack)
        yield

    return lifespan


def _read_as_upload(body: BoundedBody) -> Receive:
    """What reads the body of an upload. Gradio removes what it has written of one at this error, and at no other."""

    async def receive() -> Message:
        try:
            message = await body.receive()
        except Refusal as refusal:
            raise MultiPartException(refusal.why) from refusal
        if message["type"] == "http.disconnect":
            raise MultiPartException("the visitor has left")
        return message

    return receive


def _path(scope: Scope) -> str:
    """The path within the app: a proxy may serve it below another."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _tab_of(said: Any) -> str:
    """The page's own key of a tab; "" where there is none."""
    tab = said.get("session_hash") if isinstance(said, dict) else None
    if tab is None:
        return ""
    if not isinstance(tab, str) or not TAB.fullmatch(tab):
        raise Refusal(status=400, why="shape", asked="session_hash")
    return tab
