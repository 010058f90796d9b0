"""A second Docker engine behind sshd on loopback: as far as Docker is concerned, another machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

import docker

START_S = 60
CONTEXT = "second"


class NoSecondEngine(Exception):
    """It cannot be had on this machine; the text says why."""


def missing() -> str:
    """Return what this machine lacks for a second engine; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "a second Docker engine needs root"
    programs = {"dockerd": "docker.io", "sshd": "openssh-server", "ssh": "openssh-client"}
    lacking = [package for program, package in programs.items() if _program(program) is None]
    return f"no second Docker engine without {', '.join(lacking)}" if lacking else ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


class SecondEngine:
    """A Docker engine with images, volumes and sockets of its own, an sshd that leads to it, and a `ssh` in a
    folder for the PATH that has the key for it. Everything is in one folder, and nothing of it stays.

    Attributes:
        address: as `ssh://root@127.0.0.1:2222`.
        path: of the folder with `ssh`.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="dockyard-second-"))  # short: sockets' paths are
        self.socket, self.data = self.root / "docker.sock", self.root / "data"
        self.path = self.root / "bin"
        self._engine: subprocess.Popen[bytes] | None = None
        self._sshd: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.address = f"ssh://root@127.0.0.1:{self.port}"
        try:
            self._make_keys()
            self.start_engine()
            self.start_sshd()
            self._make_context()
        except BaseException:
            self.close()
            raise

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to reach it: `ssh` with the key, and where its Docker context is."""
        path = f"{self.path}:{os.environ.get('PATH', os.defpath)}"
        return {"PATH": path, "DOCKER_CONFIG": str(self.root / "client")}

    def client(self) -> docker.DockerClient:
        """Return a client that looks at the engine itself, not through ssh."""
        return docker.DockerClient(base_url=f"unix://{self.socket}", timeout=120)

    def start_engine(self) -> None:
        settings = Path("/etc/docker/daemon.json")
        driver = json.loads(settings.read_text()).get("storage-driver") if settings.is_file() else None
        (self.root / "daemon.json").write_text(json.dumps({"storage-driver": driver} if driver else {}))
        # Of a network of its own: an engine without a bridge removes that of the machine's, docker0.
        command = [
            *("unshare", "--net", _program("dockerd") or "", "--config-file", str(self.root / "daemon.json")),
            *("--data-root", str(self.data), "--exec-root", str(self.root / "exec")),
            *("--pidfile", str(self.root / "docker.pid"), "--host", f"unix://{self.socket}"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
        ]
        self._engine = self._start(command, "engine.log")
        self._wait(self._engine, "engine.log", lambda: bool(self.client().ping()))

    def stop_engine(self) -> None:
        """End the engine, and with it its containers, as a machine that is shut down does."""
        if self._engine is not None:
            self._engine.terminate()
            self._engine.wait(START_S)
        self._engine = None

    def start_sshd(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        command = [_program("sshd") or "", "-D", "-e", "-f", str(self.root / "sshd_config")]
        self._sshd = self._start(command, "sshd.log")
        self._wait(self._sshd, "sshd.log", lambda: _answers(self.port))

    def stop_sshd(self) -> None:
        """End sshd and every connection."""
        if self._sshd is not None:
            self.cut()
            self._sshd.terminate()
            self._sshd.wait(START_S)
        self._sshd = None

    def cut(self) -> int:
        """Cut every connection, without a word to those who use it; return how many there were."""
        assert self._sshd is not None
        connections = psutil.Process(self._sshd.pid).children(recursive=True)
        for process in connections:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return len(connections)

    def received(self) -> int:
        """Return the bytes that the connections which are open have read: from ssh, and from the engine."""
        assert self._sshd is not None
        total = 0
        for process in psutil.Process(self._sshd.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += process.io_counters().read_chars
        return total

    def close(self) -> None:
        """End all that was started and remove the folder."""
        self.stop_sshd()
        if self._engine is not None:
            with suppress(docker.errors.DockerException):
                for container in self.client().containers.list(all=True):
                    container.remove(force=True, v=True)
            self.stop_engine()
        for mount in psutil.disk_partitions(all=True):
            if mount.mountpoint.startswith(f"{self.root}/"):
                subprocess.run(["umount", "--lazy", mount.mountpoint], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def _make_keys(self) -> None:
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.root / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        shutil.copyfile(self.root / "user.pub", self.root / "authorized")
        host_key = (self.root / "host.pub").read_text()
        (self.root / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        self.configure_sshd(f"SetEnv DOCKER_HOST=unix://{self.socket}")
        config = f"""Host *
            IdentityFile {self.root}/user
            IdentitiesOnly yes
            UserKnownHostsFile {self.root}/known_hosts
            GlobalKnownHostsFile /dev/null
        """
        (self.root / "ssh_config").write_text(config)
        self.path.mkdir()
        command = self.path / "ssh"
        command.write_text(f'#!/bin/sh\nexec {_program("ssh")} -F {self.root}/ssh_config "$@"\n')
        command.chmod(0o755)

    def configure_sshd(self, *settings: str) -> None:
        """Write sshd's configuration, which it reads when it starts."""
        lines = [
            *("ListenAddress 127.0.0.1", f"Port {self.port}", f"HostKey {self.root}/host"),
            *(f"AuthorizedKeysFile {self.root}/authorized", "StrictModes no", "UsePAM no"),
            *("PasswordAuthentication no", "KbdInteractiveAuthentication no"),
            *("PermitRootLogin prohibit-password", f"PidFile {self.root}/sshd.pid", *settings),
        ]
        (self.root / "sshd_config").write_text("\n".join(lines) + "\n")

    def _make_context(self) -> None:
        command = ["docker", "context", "create", CONTEXT, "--docker", f"host={self.address}"]
        environment = {**os.environ, **self.environment}
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
            environment.pop(name, None)
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def _start(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self.root / log).open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, process: subprocess.Popen[bytes], log: str, is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(docker.errors.DockerException, OSError):
                if is_up():
                    return
            time.sleep(0.1)
        last = (self.root / log).read_text(errors="replace").splitlines()[-1:]
        raise NoSecondEngine(f"it does not start: {' '.join(last)[:300]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
