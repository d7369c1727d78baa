"""Whom TLS trusts, and what helps when a certificate is not trusted."""

from __future__ import annotations

import ssl
from pathlib import Path


def context(cafile: Path | None) -> ssl.SSLContext:
    """What checks certificates: by the authority of a PEM file, else by the system's.

    Raises OSError when the file is not there or holds no certificate.
    """
    return ssl.create_default_context(cafile=str(cafile) if cafile else None)


def next_step(why: str, setting: str, names: str) -> str:
    """What to do about a certificate that was refused for a reason of the TLS library.

    `setting` names the authority, `names` is where the host name comes from.
    """
    if "mismatch" in why:
        return f"set {names} to names that are in the certificate"
    if "expired" in why or "not yet valid" in why:
        return "renew the certificate, or set the clock"
    return f"set {setting} to the PEM file of the authority that signed the certificate"
