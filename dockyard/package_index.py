"""How this machine reaches its package index, as pip is set up to.

People behind a company's proxy or mirror have told pip once; an image build
(which takes a pip configuration) and uv (which reads none of pip's) follow.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

# What says where packages come from; pip's other settings are a user's taste.
_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")


def pip_settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """pip's settings that say where packages come from; later sources win, as in pip."""
    settings: dict[str, str] = {}
    for file in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip itself will complain; this file is not ours
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update((k, v) for k, v in parser.items(section) if k in _KEYS)
    for key in _KEYS:
        value = environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            settings[key] = value
    return settings


def pip_conf(settings: Mapping[str, str]) -> str:
    """The settings as a pip configuration file."""
    lines = ["[global]"]
    for key, value in sorted(settings.items()):
        lines.append(f"{key} = {' '.join(value.split())}")
    return "\n".join(lines) + "\n"


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The certificates that this machine trusts, where the user named a file of them."""
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        value = environ.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None


def uv_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which uv takes packages from where pip would.

    Without a home that it can write to, as users that run services have none, it keeps no cache.
    """
    result = dict(environ)
    if "UV_CACHE_DIR" not in environ and not _can_be_made(_cache_home(environ)):
        result["UV_NO_CACHE"] = "1"
    settings = pip_settings(environ)
    translated = {
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(settings.get("extra-index-url", "").split()),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        "HTTPS_PROXY": settings.get("proxy", ""),
        "HTTP_PROXY": settings.get("proxy", ""),
        "SSL_CERT_FILE": str(ca_bundle(environ) or ""),
    }
    for name, value in translated.items():
        if value and not environ.get(name):
            result[name] = value
    return result


def _cache_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or _home(environ) / ".cache")


def _home(environ: Mapping[str, str]) -> Path:
    # Of a user without a name `~` stays as it is: there is no file in it.
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def _can_be_made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = _home(environ)
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path(d) / "pip" / "pip.conf" for d in _xdg_directories(environ)]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    if sys.platform == "darwin":
        files.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    files += [config_home / "pip" / "pip.conf", Path(sys.prefix) / "pip.conf"]
    if named:
        files.append(Path(named))
    return files


def _xdg_directories(environ: Mapping[str, str]) -> list[str]:
    return [d for d in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if d]
