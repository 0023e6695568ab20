"""Serve files of a directory on 127.0.0.1 port 8000; those below /truncated/ end half-way, as when a connection breaks."""

import http.server
import pathlib
import sys

ROOT = pathlib.Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
        """Say how long the whole file is, and send what the path asks for."""
        content = (ROOT / pathlib.Path(self.path).name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path.startswith("/truncated/") else content)


http.server.HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
