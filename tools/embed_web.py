#!/usr/bin/env python3
"""Writes the C++ source that holds the built page, as src/api/web_files.h promises it.

    tools/embed_web.py DIST OUTPUT.cpp

The same files give the same bytes on every machine. Each file is compressed beside OUTPUT.cpp and
taken in by #embed; its hash is in the source text, so that a compiler cache which does not look
into embedded files still sees every change."""

import gzip
import hashlib
import pathlib
import re
import sys

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

# Vite's names: assets/index-BFHsJ90C.css
HASHED_NAME = re.compile(r"^assets/.+-[\w-]{8}\.\w+$")


class EmbedError(Exception):
    """A page that cannot be embedded; the message says why."""


def page_files(dist):
    files = sorted(path for path in dist.rglob("*") if path.is_file())
    if dist / "index.html" not in files:
        raise EmbedError(f"{dist} holds no index.html: build the page first (npm run build)")
    return files


def table_row(path, dist, folder, index):
    """Compresses one file into `folder`; returns its array and its row of the table."""
    name = path.relative_to(dist).as_posix()
    content_type = CONTENT_TYPES.get(path.suffix)
    if content_type is None or not re.fullmatch(r"[\w./-]+", name):
        raise EmbedError(f"{name}: no content type is known for this name (tools/embed_web.py)")
    plain = path.read_bytes()
    packed = folder / f"{index}.gz"
    packed.write_bytes(gzip.compress(plain, compresslevel=9, mtime=0))
    etag = hashlib.sha256(plain).hexdigest()[:32]
    immutable = "true" if HASHED_NAME.match(name) else "false"
    array = (f"constexpr unsigned char kFile{index}[] = {{\n"
             f'#embed "{folder.name}/{packed.name}"\n'
             "};")
    row = (f'    {{"/{name}", "{content_type}", "\\"{etag}\\"",\n'
           f"     std::as_bytes(std::span(kFile{index})), {immutable}}},")
    return array, row


def web_files_source(dist, output):
    folder = output.parent / output.stem
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.gz"):
        old.unlink()
    rows = [table_row(path, dist, folder, i) for i, path in enumerate(page_files(dist))]
    arrays = "\n\n".join(array for array, _ in rows)
    table = "\n".join(row for _, row in rows)
    return f"""// Made by tools/embed_web.py.
#include "api/web_files.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace jarip {{
namespace {{

{arrays}

}}  // namespace

std::span<const WebFile> web_files() {{
  static const WebFile kFiles[] = {{
{table}
  }};
  return kFiles;
}}

}}  // namespace jarip
"""


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    dist, output = (pathlib.Path(argument).resolve() for argument in arguments)
    try:
        output.write_text(web_files_source(dist, output), encoding="utf-8")
    except EmbedError as error:
        print(f"embed_web.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
