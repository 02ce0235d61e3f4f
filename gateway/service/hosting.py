"""One process with everything: pages, timetable, sender; until it is stopped or something dies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from dipgate.pipeline.desk import Desk
from dipgate.service.runtime import EXIT_DEAD_WORKER, Runtime
from dipgate.service.serving import WebOptions, WebServer
from dipgate.web.context import WebContext

LAST_SECONDS = 20.0
"""After a death: a process that has not ended by itself by then is ended."""


def host(
    desk: Desk,
    options: WebOptions,
    *,
    instance: Path,
    version: str,
    ready: Callable[[WebServer], object],
) -> int:
    """Serve the desk with its jobs until KeyboardInterrupt; the exit code.

    `ready` is called once the server listens. 70: a worker, the scheduler or the store has died;
    the report is in the log and in the folder `reports` of the state. Raises ConfigError when the
    address cannot be listened on; nothing runs then.
    """
    runtime = Runtime(desk, version=version)
    web = WebContext(desk=desk, clock=desk.clock, runtime=runtime, version=version)
    with WebServer(web, options, instance=instance) as server, runtime:
        runtime.start(lambda: _end(server))
        ready(server)
        server.run()
    return runtime.exit_code


def _end(server: WebServer) -> None:
    last = threading.Timer(LAST_SECONDS, os._exit, (EXIT_DEAD_WORKER,))
    last.daemon = True
    last.start()
    server.stop()
