import subprocess

from tests.conformance import node_tools


def put_program(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_new_enough_node_on_the_path_is_taken(tmp_path, monkeypatch):
    node = put_program(tmp_path, "node", "echo v24.1.0")
    npm = put_program(tmp_path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_tools.NodeTools(node, (npm,)) == node_tools.find()


def test_old_node_on_the_path_gives_way_to_the_wheel(tmp_path, monkeypatch):
    put_program(tmp_path, "node", "echo v22.20.0")
    put_program(tmp_path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_tools.of_wheel() == node_tools.find()


def test_program_that_names_no_version_gives_way_to_the_wheel(tmp_path, monkeypatch):
    put_program(tmp_path, "node", "echo command not found >&2; exit 127")
    put_program(tmp_path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_tools.of_wheel() == node_tools.find()


def test_wheel_brings_a_working_node_and_npm():
    tools = node_tools.of_wheel()
    assert node_tools.NODE_MAJOR_MIN <= node_tools.major(tools.node)
    assert subprocess.run([*tools.npm, "--version"], capture_output=True, check=True).stdout


def test_installed_clients_load(node):
    script = "await import('y-websocket'); await import('@hocuspocus/provider'); console.log('loaded')"
    answer = subprocess.run(
        [node, "--input-type=module", "--eval", script],
        cwd=node_tools.PACKAGES,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "loaded\n" == answer.stdout
