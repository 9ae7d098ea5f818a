"""The program as a person at a shell calls it."""

import subprocess

PATIENCE_S = 120


PROGRESS = ("jarip: loading ", "jarip: reading", "jarip: writing ")


def told(done):
    """What standard error said, but for the lines that a slow machine gets of its progress."""
    lines = done.stderr.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(PROGRESS))


class Jarip:
    """Runs the program. What it printed and how it ended is all a test may look at."""

    def __init__(self, binary, home):
        self.binary = str(binary)
        self.home = home
        self.environment = {"PATH": "/usr/bin:/bin", "JARIP_HOME": str(home), "LANG": "C.UTF-8"}

    def command(self, *arguments):
        return [self.binary, *map(str, arguments)]

    def __call__(self, *arguments, stdin="", cwd=None, **variables):
        return subprocess.run(self.command(*arguments), input=stdin.encode(), cwd=cwd,
                              capture_output=True, timeout=PATIENCE_S, check=False,
                              env={**self.environment, **variables})

    def refused(self, exit_code, *arguments, **more):
        """The one line of a refusal; fails the test if there is anything else."""
        done = self(*arguments, **more)
        lines = told(done).splitlines()
        assert done.returncode == exit_code, (done.returncode, lines)
        assert done.stdout == b""
        assert len(lines) == 1, lines
        assert lines[0].startswith("jarip: ")
        return lines[0].removeprefix("jarip: ")
