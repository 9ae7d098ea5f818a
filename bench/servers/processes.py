"""The servers that are compared, as processes on loopback."""

import http.client
import pathlib
import socket
import subprocess
import time

READY_S = 120
STOP_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server with the model loaded, once its with block has begun."""

    def __init__(self, name, command, log):
        self.name = name
        self.port = free_port()
        self.log = pathlib.Path(log)
        self.command = [str(word).replace("{port}", str(self.port)) for word in command]
        self.process = None

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self.name} did not start: see {self.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
