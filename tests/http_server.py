"""HTTP in tests: the server of those that play whoever is called, and how a server under test is called."""

from http.server import ThreadingHTTPServer

import httpx

# A server closes what was idle for a while: a kept connection may go away just as it is used again.
NOTHING_KEPT = httpx.Limits(max_keepalive_connections=0)


class HttpServer(ThreadingHTTPServer):
    """Looks every 10 ms whether it is to stop, not every half second: its test waits for that."""

    def serve_forever(self, poll_interval: float = 0.01) -> None:
        super().serve_forever(poll_interval)
