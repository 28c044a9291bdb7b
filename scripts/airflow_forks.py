"""Run Airflow commands, each in a fork of one process that has already imported Airflow.

    python -m scripts.airflow_forks SOCKET MODULE...

Otherwise each process would spend seconds on the same imports.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from typing import Any


class Handler(StreamRequestHandler):
    """Runs a command in a fork, and answers with the process id and, at the end, the exit code."""

    def handle(self) -> None:
        """Run it."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.wfile.write(b"%d\n" % os.getpid())
        request = json.loads(self.rfile.readline())
        for number, path in enumerate(request["output"], 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        os.environ.update(request["env"])
        sys.argv = request["arguments"]
        try:
            _run(request["program"])
            code: Any = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(BrokenPipeError):  # the client does not wait for background commands
            self.wfile.write(json.dumps(code).encode())


class Server(ForkingMixIn, UnixStreamServer):
    """Forks for each request, any number at a time."""

    max_children = 1000
    block_on_close = False


def _run(program: str | None) -> None:
    if program is None:
        from airflow.__main__ import main

        main()  # type: ignore[no-untyped-call]
    else:
        exec(program, {"__name__": "__main__"})


def main(socket: str, *modules: str) -> None:
    """Serve until SIGTERM, which also ends all commands."""
    from airflow.configuration import write_default_airflow_configuration_if_needed

    write_default_airflow_configuration_if_needed()  # so that all commands have the same keys
    for name in modules:
        import_module(name)
    gc.freeze()
    with Server(socket, Handler) as server:
        with suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            server.serve_forever()
        for child in server.active_children or ():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        server.collect_children(blocking=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
