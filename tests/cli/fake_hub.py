"""A model hub and package index on loopback whose every fault is chosen by the test.

    with FakeHub() as hub:
        hub.files["owner/repo/tiny.gguf"] = HubFile(b"...", piece_delay_s=0.05)
        environment = hub.environment()          # HF_ENDPOINT, PIP_INDEX_URL
        hub.requests                             # (path, first byte asked for)
"""
import hashlib
import http.server
import re
import threading
import time
from dataclasses import dataclass

PIECE_BYTES = 1 << 16


@dataclass
class HubFile:
    content: bytes
    piece_delay_s: float = 0
    states_digest_of: bytes | None = None  # None: of the content
    ends_after: int | None = None          # bytes of one answer, then the line goes dead
    ignores_ranges: bool = False
    hangs: bool = False                    # accepts the request and never answers


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        # A client that takes this server for its proxy sends the whole URL.
        path = re.sub(r"^http://[^/]+", "", self.path).lstrip("/")
        proxied = self.path.startswith("http://")
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
        with hub.lock:
            hub.requests.append((path, start))
            hub.proxied += proxied
        if path.startswith("simple/"):
            return self.answer(hub.pages.get(path.split("/")[1]), "application/vnd.pypi.simple.v1+json")
        file = hub.files.get(path.replace("/resolve/main/", "/"))
        if file is None:
            return self.answer(None)
        if file.hangs:
            hub.closing.wait()
            return
        self.send_file(file, start)

    def answer(self, body, kind="text/plain"):
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def send_file(self, file, start):
        if start >= len(file.content) and start > 0:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if file.ignores_ranges:
            start = 0
        rest = file.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(file.content) - 1}/{len(file.content)}")
        self.send_header("Content-Length", str(len(rest)))
        digest = hashlib.sha256(file.content if file.states_digest_of is None else file.states_digest_of)
        self.send_header("X-Linked-ETag", f'"{digest.hexdigest()}"')
        self.end_headers()
        end = len(rest) if file.ends_after is None else min(file.ends_after, len(rest))
        try:
            for at in range(0, end, PIECE_BYTES):
                self.wfile.write(rest[at:min(at + PIECE_BYTES, end)])
                with self.server.hub.lock:
                    self.server.hub.sent_bytes += min(PIECE_BYTES, end - at)
                time.sleep(file.piece_delay_s)
        except (BrokenPipeError, ConnectionResetError):
            pass
        if end < len(rest):
            self.close_connection = True


class FakeHub:
    def __init__(self):
        self.files, self.pages = {}, {}
        self.requests, self.proxied, self.sent_bytes = [], 0, 0
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.hub = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def environment(self):
        return {"HF_ENDPOINT": self.url, "PIP_INDEX_URL": self.url + "/simple"}
