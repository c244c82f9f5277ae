"""The HTTP server of tests that play whoever is called."""

from http.server import ThreadingHTTPServer


class HttpServer(ThreadingHTTPServer):
    """Looks every 10 ms whether it is to stop, not every half second: its test waits for that."""

    def serve_forever(self, poll_interval: float = 0.01) -> None:
        super().serve_forever(poll_interval)
