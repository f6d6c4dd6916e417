"""Run the real Milvus server of PyPI's ``milvus`` package on this machine, for tests and measurements.

    python -m interlingua.benchmarks milvus_server --install FOLDER  # once: a virtual environment with it
    python -m interlingua.benchmarks milvus_server FOLDER                     # run until Ctrl-C
    python -m interlingua.benchmarks milvus_server FOLDER -- pytest tests/index -k server
    python -m interlingua.benchmarks milvus_server --secure FOLDER -- pytest tests/index -k server

The last forms start the server, run the command with INTERLINGUA_MILVUS_URI set, and stop the server. The package
holds a single-node server of 2023 (2.3.5; about 60 MB) for Linux and macOS; it needs an environment of its own, as its
dependencies are older than ours. It listens on every network interface of the machine and asks for no password, but
with ``--secure``: then it speaks TLS under a certificate of its own (made by the command ``openssl``) and knows the
user ``root`` with Milvus' first password, and the command finds INTERLINGUA_MILVUS_PEM and MILVUS_TOKEN set.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Mapping
from pathlib import Path

MILVUS_PACKAGE = "milvus==2.3.5"
FIRST_TOKEN = "root:Milvus"  # noqa: S105 - what every new Milvus has, as its manual says
_STORE_PORT = 2380  # the server's own store listens there, so that one machine holds one server
_START = """
import json, sys
from milvus import MilvusServer, MilvusServerConfig
server = MilvusServer(MilvusServerConfig(), wait_for_started=False)
server.set_base_dir(sys.argv[1])
server.config.configs.update(proxy_port=int(sys.argv[2]))
for key, value in json.loads(sys.argv[3]).items():
    server.config.set(key, value)
server.start()
print(server.server_proc.pid, server.webservice_port, flush=True)
server.server_proc.wait()
"""


def install_server(folder: Path) -> None:
    """Make a virtual environment in ``FOLDER/environment`` and install the server in it."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    subprocess.run([_python(folder), "-m", "pip", "install", "--quiet", MILVUS_PACKAGE], check=True)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a key and a certificate that it signs itself, for 127.0.0.1 and localhost; make them if not there."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "server.key", folder / "server.pem"
    if key.exists() and certificate.exists():  # a server that runs here has them
        return key, certificate
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


class MilvusServer:
    """A server process with its data in ``FOLDER/data``; start it again and the data are there.

    Parameters
    ----------
    folder : Path
        That `install_server` was given.
    port : int
        0 for any free one.
    secure : bool
        TLS and passwords; the data are in ``FOLDER/secure`` then, beside key and certificate.

    Raises
    ------
    FileNotFoundError
        If the server is not installed there.
    """

    def __init__(self, folder: Path, port: int = 0, *, secure: bool = False) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / ("secure" if secure else "data")
        self.certificate: Path | None = None
        self._settings: Mapping[str, object] = {}
        if not _python(self._folder).exists():
            raise FileNotFoundError(
                f"no Milvus in {folder}; python -m interlingua.benchmarks milvus_server --install {folder}"
            )
        self._port = port or _free_port()
        if secure:
            key, self.certificate = make_certificate(self._data / "certificate")
            self._settings = {
                "tls.serverPemPath": str(self.certificate),
                "tls.serverKeyPath": str(key),
                "common.security.tlsMode": 1,
                "common.security.authorizationEnabled": "true",
            }
        self._wrapper: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    def uri(self) -> str:
        """Its address."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self._port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that tell tests and benchmarks of it."""
        found = {"INTERLINGUA_MILVUS_URI": self.uri}
        if self.certificate:
            found |= {"INTERLINGUA_MILVUS_PEM": str(self.certificate), "MILVUS_TOKEN": FIRST_TOKEN}
        return found

    def start(self, patience: float = 180.0) -> float:
        """Start it and return the seconds until it says that it is healthy."""
        begin = time.monotonic()
        for port in (self._port, _STORE_PORT):
            _wait_for_port(port, begin + patience)
        settings = json.dumps(self._settings)
        command = [str(_python(self._folder)), "-c", _START, str(self._data), str(self._port), settings]
        self._wrapper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = self._wrapper.stdout.readline().split() if self._wrapper.stdout else []
        if len(said) != 2:
            raise RuntimeError(f"Milvus did not start; see {self._data / 'logs'}")
        self._pid = int(said[0])
        while time.monotonic() < begin + patience:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{said[1]}/healthz", timeout=5) as answer:
                    if b"OK" in answer.read():
                        return time.monotonic() - begin
            except (urllib.error.URLError, OSError):
                pass
            if self._wrapper.poll() is not None:
                raise RuntimeError(f"Milvus ended; is another one running here? See {self._data / 'logs'}")
            time.sleep(0.1)
        self.kill()
        raise TimeoutError(f"Milvus was not healthy after {patience} s; see {self._data / 'logs'}")

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
            except OSError as error:
                if time.monotonic() > end:
                    raise OSError(f"port {port} is taken; is another Milvus running here?") from error
        time.sleep(0.5)


def milvus_server(folder: Path, *command: str, install: bool = False, port: int = 19530, secure: bool = False) -> int:
    """Run a Milvus of one node until Ctrl-C, or while a command runs.

    Parameters
    ----------
    folder : Path
        Where it is installed and keeps its data.
    *command : str
        Run it with INTERLINGUA_MILVUS_URI set, and end.
    install : bool
        Install the server there, and end.
    port : int
        Where it listens.
    secure : bool
        With TLS and passwords.
    """
    if install:
        install_server(folder)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends with us
    with MilvusServer(folder, port, secure=secure) as server:
        if command:
            return subprocess.run(command, env={**os.environ, **server.variables}).returncode
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
