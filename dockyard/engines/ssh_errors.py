"""What ssh, and docker at its other end, say when they cannot: in one line, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contract.errors import EnvironmentProblem


@dataclass(frozen=True)
class _Saying:
    """What is said of a cause; `{user}`, `{device}` and `{ssh}` stand for the user, the device and `ssh ...`.

    Attributes:
        signs: one of these is in the message, in lower case.
    """

    signs: tuple[str, ...]
    what: str
    advice: str


_SAYINGS = (
    _Saying(
        ("identification has changed",),
        "the host key of {device} is not the one that was known: another machine, or set up anew",
        "if it was set up anew: ssh-keygen -R {device}, then {ssh}, compare the key, answer yes",
    ),
    _Saying(
        ("host key verification failed",),
        "the host key of {device} is not known",
        "once, by hand: {ssh}, compare the key that it shows with the device's, answer yes",
    ),
    _Saying(
        ("docker daemon socket", "docker.sock: connect: permission denied"),
        "{user} may not use Docker on {device} without sudo",
        "there: sudo usermod -aG docker {user}, then log in anew",
    ),
    _Saying(
        ("permission denied (", "too many authentication failures"),
        "{device} refuses the ssh key of this machine",
        "ssh-copy-id to it, or load the key into ssh-agent: {ssh} must work without a password",
    ),
    _Saying(
        ("could not resolve hostname",),
        "there is no machine by the name {device}",
        "look at the context's address (docker context ls) and at ~/.ssh/config",
    ),
    _Saying(
        ("connection refused", "timed out", "no route to host", "network is unreachable"),
        "{device} does not answer ssh",
        "is it on, in the network, its sshd running? try {ssh}",
    ),
    _Saying(
        ("docker: command not found", "docker: not found", "unknown command: docker"),
        "docker is not installed on {device}, or not on the PATH that ssh gives a command",
        "install Docker there; {ssh} docker version must work",
    ),
    _Saying(
        ("cannot connect to the docker daemon", "is the docker daemon running"),
        "no Docker engine answers on {device}",
        "there: sudo systemctl enable --now docker",
    ),
    _Saying(
        ("forwarding failed", "administratively prohibited", "forwarding request failed"),
        "sshd on {device} forwards no sockets",
        "in its sshd_config: AllowStreamLocalForwarding yes",
    ),
)


def ssh_problem(said: Sequence[str], user: str, device: str) -> EnvironmentProblem:
    """Return the error for what ssh, or docker there, wrote.

    Args:
        said: its lines.
        user: who logs in there; empty for ssh's own choice.
    """
    text = "\n".join(said).lower()
    names = {
        "user": user or "the user",
        "device": device,
        "ssh": f"ssh {user}@{device}" if user else f"ssh {device}",
    }
    for saying in _SAYINGS:
        if any(sign in text for sign in saying.signs):
            return EnvironmentProblem(
                saying.what.format(**names), f"ssh {device}", saying.advice.format(**names)
            )
    last = next((line.strip() for line in reversed(said) if line.strip()), "no reason given")
    what = f"no Docker engine can be reached on {device} ({last[:200]})"
    return EnvironmentProblem(what, f"ssh {device}", f"{names['ssh']} docker version must work")
