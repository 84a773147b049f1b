"""What ``learnae check`` says of the folders; nothing here creates anything."""

import os
import shutil
from pathlib import Path

from learnae.interfaces.provider import Finding

_LITTLE_BYTES = 200_000_000


def look_at_shared(folder: Path) -> list[Finding]:
    """Look whether the shared folder is there, can be written to, and has room."""
    if not folder.exists():
        advice = f"mkdir -p {folder}"
        if folder.parent.is_dir() and os.access(folder.parent, os.W_OK | os.X_OK):
            return [Finding(True, f"the shared folder {folder} is not there yet and will be made")]
        return [Finding(False, f"the shared folder {folder} is not there", advice)]
    if not folder.is_dir():
        return [Finding(False, f"{folder} is not a folder", "learnae run --folder ANOTHER")]
    findings = [Finding(True, f"the shared folder {folder} is there")]
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        findings.append(Finding(True, f"{folder} can be written to"))
    else:
        findings.append(Finding(False, f"{folder} cannot be read and written to by this user", f"chmod u+rwx {folder}"))
    try:
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        findings.append(Finding(False, f"the free space at {folder} cannot be told: {exc.strerror}", f"df {folder}"))
    else:
        text = f"{free / 1e9:.1f} GB are free at {folder}"
        findings.append(Finding(True, text) if free >= _LITTLE_BYTES else Finding(False, text, f"df {folder}"))
    return findings


def look_at_sensors(folder: Path) -> list[Finding]:
    """Look whether the sensors' folder is there and can be read."""
    if not folder.is_dir():
        return [Finding(False, f"the sensors' folder {folder} is not there", f"mkdir -p {folder}")]
    if not os.access(folder, os.R_OK | os.X_OK):
        return [Finding(False, f"{folder} cannot be read by this user", f"chmod u+rx {folder}")]
    return [Finding(True, f"the sensors' folder {folder} is there")]
