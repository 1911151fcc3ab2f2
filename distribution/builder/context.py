# SPDX-License-Identifier: Apache-2.0
"""What a component's build may use: the sources, the cache, tools, and its own log."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from distribution.builder.children import Children
from distribution.builder.component import BuildError
from distribution.builder.toolchain import Go

# The longest single command is the Kubernetes build, 10 minutes on two slow cores.
COMMAND_TIMEOUT = 3600.0
LOG_TAIL_LINES = 15


@dataclasses.dataclass(frozen=True)
class Context:
    """The environment of one component's build."""

    root: pathlib.Path
    """The repository."""
    cache: pathlib.Path
    """Kept between builds: downloads, Go's caches, results."""
    work: pathlib.Path
    """An empty directory for this build only, removed after it."""
    versions: Mapping[str, Mapping[str, Any]]
    """versions.toml."""
    results: Mapping[str, pathlib.Path]
    """Where the results of the needed components are."""
    log: pathlib.Path
    """Receives the output of every command."""
    go: Go | None
    """The Go toolchain; None only for components that do not need it."""
    children: Children = dataclasses.field(default_factory=Children)
    """Runs the commands."""

    def result(self, name: str) -> pathlib.Path:
        """Return the directory with the result of a needed component, to be read only."""
        if name not in self.results:
            raise BuildError(f"{name} is read but not listed in needs")
        return self.results[name]

    @property
    def downloads(self) -> pathlib.Path:
        """Return a directory kept between builds, for files fetched from an archive."""
        directory = self.cache / "downloads"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def run(
        self,
        argv: Sequence[str | pathlib.Path],
        *,
        cwd: pathlib.Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        stdout: pathlib.Path | None = None,
        timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        """Run a command to completion; ``env`` is added to the environment.

        Output goes to the log, or standard output to the file ``stdout``.

        :raises BuildError: when the command is missing, fails or takes longer than ``timeout`` seconds; with the last
            lines of the log.
        """
        words = [str(word) for word in argv]
        with self.log.open("ab") as log:
            log.write(("$ " + " ".join(words) + "\n").encode())
            log.flush()
            out = stdout.open("wb") if stdout else log
            try:
                status = self.children.run(
                    words,
                    cwd=cwd or self.work,
                    env={**os.environ, **(env or {})},
                    stdin=stdin or b"",
                    stdout=out,
                    stderr=log,
                    timeout=timeout,
                )
            except FileNotFoundError as error:
                raise BuildError(f"{words[0]} is not installed; bindep.txt names its package") from error
            except subprocess.TimeoutExpired as error:
                raise BuildError(f"{words[0]} took longer than {timeout:.0f} s") from error
            finally:
                if stdout:
                    out.close()
        if status != 0:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise BuildError(f"{words[0]} failed with status {status}:\n{tail}\nThe complete log: {self.log}")

    def go_build(
        self,
        module: pathlib.Path,
        packages: Mapping[str, pathlib.Path],
        *,
        variables: Mapping[str, str] | None = None,
        tags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        static_c: bool = False,
    ) -> None:
        """Compile Go packages of a module into executables.

        ``packages`` maps package paths to output files, ``variables`` string variables to
        values set at link time. Pure Go unless ``static_c``, which links C statically.
        Without debug symbols, and without a trace of where it was built.
        """
        if self.go is None:
            raise BuildError("the component does not declare that it needs Go")
        link = ["-s", "-w", "-buildid="]
        link += [f"-X={name}={value}" for name, value in (variables or {}).items()]
        if static_c:
            link += ["-linkmode=external", "-extldflags=-static"]
        # Go and the C compiler leave their temporary files behind when they are killed.
        temporary = self.work / "temporary"
        temporary.mkdir(exist_ok=True)
        own = {"CGO_ENABLED": "1" if static_c else "0", "GOTMPDIR": str(temporary), "TMPDIR": str(temporary)}
        for package, output in packages.items():
            output.parent.mkdir(parents=True, exist_ok=True)
            argv = [str(self.go.executable), "build", "-trimpath", "-buildvcs=false", "-tags", ",".join(tags)]
            argv += ["-ldflags", " ".join(link), "-o", str(output), package]
            self.run(
                argv,
                cwd=module,
                env={**self.go.environment(self.cache), **own, **(env or {})},
            )
