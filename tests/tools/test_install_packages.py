"""The list of packages is read strictly, and nothing is installed without saying how."""

import subprocess
import types

import install_packages
import pytest


def test_the_list_of_this_repository_is_well_formed():
    packages = install_packages.read_list(install_packages.LIST.read_text(encoding="utf-8"))
    names = [package.name for package in packages]
    assert {package.group for package in packages} == {"build", "test", "lint"}
    assert len(names) == len(set(names))


def test_a_line_without_a_reason_is_refused_with_its_number():
    with pytest.raises(ValueError, match="line 2"):
        install_packages.read_list("# list\nbuild cmake\n")


def test_without_root_and_sudo_the_command_is_printed_and_nothing_runs(monkeypatch, capsys):
    monkeypatch.setattr(install_packages, "apt_prefix", lambda: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("ran a command"))
    assert not install_packages.install(["cmake", "ninja-build"])
    assert ("apt-get update && apt-get install --yes --no-install-recommends cmake ninja-build"
            in capsys.readouterr().out)


@pytest.mark.parametrize(("version", "sentence"), [
    ("v18.19.0", "this is v18.19.0"),
    ("v20.18.3", "this is v20.18.3"),
    ("", "does not start"),
])
def test_an_old_or_broken_node_is_named(monkeypatch, version, sentence):
    monkeypatch.setattr(install_packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(install_packages.subprocess, "run",
                        lambda *_, **__: types.SimpleNamespace(stdout=version))
    assert sentence in install_packages.node_problem()


def test_a_missing_node_is_named(monkeypatch):
    monkeypatch.setattr(install_packages.shutil, "which", lambda _: None)
    assert "none is here" in install_packages.node_problem()


@pytest.mark.parametrize("version", ["v20.19.0", "v22.9.1"])
def test_a_new_enough_node_is_no_problem(monkeypatch, version):
    monkeypatch.setattr(install_packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(install_packages.subprocess, "run",
                        lambda *_, **__: types.SimpleNamespace(stdout=version))
    assert install_packages.node_problem() is None
