"""A link to PostgreSQL that loses one commit to the catalog, or its answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_COMMIT = b"UPDATE iceberg_tables"
_DONE = b"UPDATE 1\x00"


class LossyLink:
    """Forwards connections to a server; `lose` cuts the one that commits next, before or after the commit is done."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.lost = 0
        self._mode = ""
        self._refuse = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, mode: str) -> None:
        """Lose the next commit (`request`), or do it and lose its `answer`; the first new connection fails too."""
        assert mode in ("request", "answer")
        self._mode = mode

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._refuse:
                self._refuse -= 1
                client.close()
                continue
            _Connection(self, client, socket.create_connection(self._server)).start()

    def is_lost(self, chunk: bytes) -> bool:
        return self._mode == "request" and _COMMIT in chunk

    def takes_answer_of(self, chunk: bytes) -> bool:
        return self._mode == "answer" and _COMMIT in chunk

    def note_loss(self) -> None:
        self.lost += 1
        self._refuse = 1
        self._mode = ""


class _Connection:
    """One connection, a thread for each direction."""

    def __init__(self, link: LossyLink, client: socket.socket, server: socket.socket) -> None:
        self._link = link
        self._client = client
        self._server = server
        self._swallows = False

    def start(self) -> None:
        for target in (self._to_server, self._to_client):
            threading.Thread(target=target, daemon=True).start()

    def _to_server(self) -> None:
        for chunk in _chunks(self._client):
            if self._link.is_lost(chunk):
                self._link.note_loss()
                break
            self._swallows = self._swallows or self._link.takes_answer_of(chunk)
            if not _sent(self._server, chunk):
                break
        self._cut()

    def _to_client(self) -> None:
        for chunk in _chunks(self._server):
            if self._swallows:
                if _DONE in chunk:
                    self._link.note_loss()
                    break
                continue
            if not _sent(self._client, chunk):
                break
        self._cut()

    def _cut(self) -> None:
        for one in (self._client, self._server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _chunks(source: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            chunk = source.recv(65536)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


def _sent(target: socket.socket, chunk: bytes) -> bool:
    try:
        target.sendall(chunk)
    except OSError:
        return False
    return True


@contextmanager
def lossy_link(host: str, port: int) -> Iterator[LossyLink]:
    link = LossyLink(host, port)
    try:
        yield link
    finally:
        link.close()
