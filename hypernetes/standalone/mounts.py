# SPDX-License-Identifier: Apache-2.0
"""Finds and removes mounts below a directory of the installation."""

from __future__ import annotations

from pathlib import Path

from hypernetes.standalone import machine


def parse_below(mountinfo: str, directory: Path) -> list[Path]:
    """Return the mount points at or below a directory in ``/proc/self/mountinfo``'s text, the last mounted first."""
    points = []
    for line in mountinfo.splitlines():
        # The kernel writes a space as \040 (proc(5)).
        point = Path(line.split()[4].replace("\\040", " "))
        if point == directory or directory in point.parents:
            points.append(point)
    return points[::-1]


def below(directory: Path) -> list[Path]:
    """Return the present mount points at or below a directory."""
    return parse_below(Path("/proc/self/mountinfo").read_text(), directory)


def unmount_below(directory: Path) -> None:
    """Unmount everything at or below a directory.

    :raises StandaloneError: when something stays mounted, since removing files would then reach into it.
    """
    for point in below(directory):
        machine.run(["umount", point], check=False)
    for point in below(directory):
        # Busy only if a process of another owner uses it; a detached mount goes when that process leaves.
        machine.run(["umount", "--lazy", point], check=False)
    left = below(directory)
    if left:
        raise machine.StandaloneError(f"still mounted: {', '.join(map(str, left))}")
