"""The built page becomes one C++ source, the same on every machine, or a sentence says why not."""

import gzip
import shutil

import embed_web
import pytest


@pytest.fixture
def dist(tmp_path):
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets" / "index-BFHsJ90C.js").write_text("let x;")
    return folder


def source(dist, name="web_files.cpp"):
    output = dist.parent / name
    assert embed_web.main([str(dist), str(output)]) == 0
    return output.read_text()


def test_every_file_is_there_with_its_type_and_its_bytes(dist):
    text = source(dist)
    assert '{"/assets/index-BFHsJ90C.js", "text/javascript; charset=utf-8", ' in text
    assert '{"/index.html", "text/html; charset=utf-8", ' in text
    packed = (dist.parent / "web_files" / "1.gz").read_bytes()
    assert gzip.decompress(packed) == b"<!doctype html>"


def test_only_names_that_hold_a_hash_are_kept_forever(dist):
    rows = [line for line in source(dist).splitlines() if "as_bytes" in line]
    assert [row.endswith("true},") for row in rows] == [True, False]


def test_the_same_page_gives_the_same_bytes(dist):
    first = source(dist)
    packed = (dist.parent / "web_files" / "0.gz").read_bytes()
    elsewhere = dist.parent / "elsewhere" / "dist"
    shutil.copytree(dist, elsewhere)
    assert source(elsewhere) == first
    assert (elsewhere.parent / "web_files" / "0.gz").read_bytes() == packed


def test_another_content_changes_the_source_though_the_names_stay(dist):
    first = source(dist)
    (dist / "index.html").write_text("<!doctype html><p>")
    assert source(dist) != first


@pytest.mark.parametrize("name", ["photo.xyz", 'a"b.html'])
def test_a_file_that_cannot_be_served_stops_the_build(dist, name, capsys):
    (dist / name).write_text("x")
    assert embed_web.main([str(dist), str(dist.parent / "out.cpp")]) == 1
    assert name in capsys.readouterr().err


def test_a_page_that_was_not_built_stops_the_build(tmp_path, capsys):
    assert embed_web.main([str(tmp_path / "none"), str(tmp_path / "out.cpp")]) == 1
    assert "npm run build" in capsys.readouterr().err
