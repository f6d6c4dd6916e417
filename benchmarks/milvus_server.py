"""Run the real Milvus server of PyPI's ``milvus`` package on this machine, for tests and measurements.

    python -m interlingua.benchmarks.milvus_server --install FOLDER           # once: a virtual environment with it
    python -m interlingua.benchmarks.milvus_server FOLDER                     # run until Ctrl-C
    python -m interlingua.benchmarks.milvus_server FOLDER -- pytest tests/index -k server

The last form starts the server, runs the command with INTERLINGUA_MILVUS_URI set, and stops the server. The package
holds a single-node server of 2023 (2.3.5; about 60 MB) for Linux and macOS; it needs an environment of its own, as its
dependencies are older than ours. It listens on every network interface of the machine and asks for no password.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

__all__ = ["MILVUS_PACKAGE", "MilvusServer", "install", "main"]

MILVUS_PACKAGE = "milvus==2.3.5"
_START = """
import sys
from milvus import MilvusServer, MilvusServerConfig
server = MilvusServer(MilvusServerConfig(), wait_for_started=False)
server.set_base_dir(sys.argv[1])
server.config.configs.update(proxy_port=int(sys.argv[2]))
server.start()
print(server.server_proc.pid, server.webservice_port, flush=True)
server.server_proc.wait()
"""


def install(folder: Path) -> None:
    """Make a virtual environment in ``FOLDER/environment`` and install the server in it."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    subprocess.run([_python(folder), "-m", "pip", "install", "--quiet", MILVUS_PACKAGE], check=True)


class MilvusServer:
    """A server process with its data in ``FOLDER/data``; start it again and the data are there.

    Parameters
    ----------
    folder : Path
        That `install` was given.
    port : int
        0 for any free one.

    Raises
    ------
    FileNotFoundError
        If the server is not installed there.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder.resolve()
        if not _python(self._folder).exists():
            raise FileNotFoundError(
                f"no Milvus in {folder}; python -m interlingua.benchmarks.milvus_server --install {folder}"
            )
        self._port = port or _free_port()
        self._wrapper: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, patience: float = 180.0) -> float:
        """Start it and return the seconds until it says that it is healthy."""
        begin = time.monotonic()
        _wait_for_port(self._port, begin + patience)
        command = [str(_python(self._folder)), "-c", _START, str(self._folder / "data"), str(self._port)]
        self._wrapper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = self._wrapper.stdout.readline().split() if self._wrapper.stdout else []
        if len(said) != 2:
            raise RuntimeError(f"Milvus did not start; see {self._folder / 'data' / 'logs'}")
        self._pid = int(said[0])
        while time.monotonic() < begin + patience:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{said[1]}/healthz", timeout=5) as answer:
                    if b"OK" in answer.read():
                        return time.monotonic() - begin
            except (urllib.error.URLError, OSError):
                pass
            if self._wrapper.poll() is not None:
                raise RuntimeError(f"Milvus ended; is another one running here? See {self._folder / 'data' / 'logs'}")
            time.sleep(0.1)
        self.kill()
        raise TimeoutError(f"Milvus was not healthy after {patience} s; see {self._folder / 'data' / 'logs'}")

    def kill(self) -> None:
        """Kill it at once, as a power cut would, but for what the system's cache holds."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and kill it after 20 seconds."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._wrapper is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, how)
        try:
            self._wrapper.wait(20)
        except subprocess.TimeoutExpired:
            os.kill(self._pid, signal.SIGKILL)
            self._wrapper.wait(20)
        self._wrapper = None

    def __enter__(self) -> "MilvusServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _wait_for_port(port: int, end: float) -> None:
    """Wait until nothing holds the port: connections of a killed server keep it for about a minute."""
    while True:
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
                return
            except OSError:
                if time.monotonic() > end:
                    raise
        time.sleep(0.5)


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.milvus_server", description="A Milvus of one node.")
    parser.add_argument("folder", type=Path, help="where it is installed and keeps its data")
    parser.add_argument("--install", action="store_true", help=f"install {MILVUS_PACKAGE} there, and end")
    parser.add_argument("--port", type=int, default=19530, help="default: 19530")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="run it with INTERLINGUA_MILVUS_URI set, and end")
    options = parser.parse_args(arguments)
    if options.install:
        install(options.folder)
        return 0
    with MilvusServer(options.folder, options.port) as server:
        if options.command:
            return subprocess.run(options.command, env={**os.environ, "INTERLINGUA_MILVUS_URI": server.uri}).returncode
        sys.stderr.write(f"Milvus listens at {server.uri}; Ctrl-C ends it\n")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            return 0


def _python(folder: Path) -> Path:
    return folder / "environment" / ("Scripts" if os.name == "nt" else "bin") / "python"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
