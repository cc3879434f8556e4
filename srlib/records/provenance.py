"""The provenance of a number: the commit of the code and the versions of the libraries."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commit() -> str:
    """The commit of this checkout, `+` appended if files differ from it; `unknown` outside one (or `SRLIB_COMMIT`)."""
    if "SRLIB_COMMIT" in os.environ:
        return os.environ["SRLIB_COMMIT"]
    if not (ROOT / ".git").exists():  # installed, perhaps inside another checkout
        return "unknown"
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "srlib"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed.strip() else "")


def environment() -> dict[str, str]:
    """Versions of Python, the platform and the libraries on which the numbers depend."""
    packages = ("torch", "numpy", "scipy", "scikit-image", "pillow")
    return {"python": platform.python_version(), "platform": platform.platform()} | {name: version(name) for name in packages}
