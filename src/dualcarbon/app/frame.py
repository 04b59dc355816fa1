"""What stands around every answer: whom the server speaks to, and the headers that every answer carries.

Until identity exists the server listens on the loopback only. A page of another site, opened in the same browser, must
not act here all the same: a changing request from elsewhere, or one to a foreign host name, is refused.
"""

import json
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
LOCAL = ("127.0.0.1", "localhost", "::1", "testserver")
SAFE = ("GET", "HEAD", "OPTIONS")
#: Of a figure; empty means the rows that have none.
DIMENSIONS = (b"domain", b"section", b"sector", b"carrier", b"process", b"scope", b"contributor")


class Frame:
    """Refuse foreign hosts and cross-site changes; leave out of the question what was not given; add the headers."""

    def __init__(self, app: ASGIApp, version: str, hosts: Iterable[str] = LOCAL) -> None:
        self.app, self.hosts = app, frozenset(hosts)
        self.headers = [
            (b"x-dualcarbon", version.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"content-security-policy", POLICY.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        scope["query_string"] = _given(scope["query_string"])

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                timing = f"app;dur={(time.perf_counter() - begun) * 1000:.1f}"
                message["headers"] = [*message["headers"], *self.headers, (b"server-timing", timing.encode())]
                query = scope["query_string"]
                if scope["path"].startswith("/static/") and (query.startswith(b"v=") or b"&v=" in query):
                    MutableHeaders(scope=message)["Cache-Control"] = "public, max-age=31536000, immutable"
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            await self.app(scope, receive, framed)
            return
        status, title, detail = refusal
        told = {
            "type": "/problems/foreign-request",
            "title": title,
            "status": status,
            "detail": detail,
            "instance": scope["path"],
        }
        body = json.dumps(told, ensure_ascii=False).encode()
        start = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await framed({"type": "http.response.start", "status": status, "headers": start})
        await framed({"type": "http.response.body", "body": body})

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str, str] | None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if host not in self.hosts:
            return 421, "主机名不对 / wrong host", "本服务只在本机使用。 This server serves this machine only."
        if method in SAFE:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        foreign = site not in (None, "same-origin", "none") or (
            origin is not None and urlsplit(origin).netloc != headers.get("host")
        )
        if foreign:
            return (
                403,
                "来自其他网站的请求 / request from another site",
                "请在本网站的页面上操作。 Act on this site's own pages.",
            )
        return None


def _given(query: bytes) -> bytes:
    """The question without the fields that were left empty, as browsers send them; an empty dimension stays."""
    fields = (field.partition(b"=") for field in query.split(b"&"))
    return b"&".join(name + equals + value for name, equals, value in fields if value or name in DIMENSIONS)
