#!/usr/bin/env python3
"""Rewrites the golden answers of tests/golden with what the release build answers now.

    tools/update_golden.py"""

import subprocess
import sys

from golden import ROOT, SEPARATOR, answer, files, read


def main():
    fetched = subprocess.run([sys.executable, ROOT / "tools" / "fetch_model.py"], check=False,
                             capture_output=True, text=True)
    if fetched.returncode != 0:
        sys.stderr.write(fetched.stderr)
        return 1
    model = fetched.stdout.strip()
    n_changed = 0
    for path in files():
        prompt, before = read(path)
        after = answer(model, prompt)
        if after != before:
            path.write_bytes(prompt + SEPARATOR + after)
            print(f"changed: {path.relative_to(ROOT)}")
            n_changed += 1
    print(f"{len(files())} golden answers, {n_changed} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
