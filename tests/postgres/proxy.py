"""A proxy before PostgreSQL that fails as networks do: it cuts, falls silent, or takes an answer away."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Final

COMMIT: Final = b"COMMIT\0"
"""The end of the message by which the driver commits. Source: PostgreSQL, "Frontend/Backend Protocol", Query."""


class Proxy:
    """Between whoever connects to ``port`` and the server. Used as a context."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_silent = threading.Event()
        self._is_closed = False
        self.refuses = False
        """New connections are cut at once."""
        self.cuts_commits = 0
        """So many commits are passed on, and their connections cut before the answer."""
        self.swallows_commits = 0
        """So many commits are not passed on, and their connections are cut."""
        self.on_cut: Callable[[], None] = lambda: None
        self.cuts = 0

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._is_silent.clear()
        self._door.close()
        self.cut()

    def silence(self) -> None:
        """Nothing gets through, and nobody is told."""
        self._is_silent.set()

    def speak(self) -> None:
        """The way is there again; what was said meanwhile is lost with its connections."""
        self.cut()
        self._is_silent.clear()

    def cut(self) -> None:
        for pair in self._pairs:
            _close(*pair)
        self._pairs.clear()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                client.close()
                continue
            if self.refuses:
                _close(client, server)
                continue
            self._pairs.append((client, server))
            is_to_be_cut = threading.Event()
            for work in (self._ask, self._answer):
                threading.Thread(target=work, args=(client, server, is_to_be_cut), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, is_to_be_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(65536):
                if self._is_silent.is_set():
                    continue
                if said.endswith(COMMIT) and self.swallows_commits:
                    self.swallows_commits -= 1
                    self._count()
                    break
                if said.endswith(COMMIT) and self.cuts_commits:
                    self.cuts_commits -= 1
                    is_to_be_cut.set()
                server.sendall(said)
        if not is_to_be_cut.is_set():
            _close(client, server)

    def _answer(self, client: socket.socket, server: socket.socket, is_to_be_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while said := server.recv(65536):
                if is_to_be_cut.is_set():  # it is done, and nobody hears of it
                    self._count()
                    break
                if not self._is_silent.is_set():
                    client.sendall(said)
        _close(client, server)

    def _count(self) -> None:
        self.cuts += 1
        self.on_cut()


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
