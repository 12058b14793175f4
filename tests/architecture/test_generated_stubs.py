import subprocess
import sys

from tests.architecture.tree import GENERATED, ROOT


def files(folder):
    found = (path for path in folder.rglob("*_pb2*") if "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}


def test_committed_stubs_are_what_the_proto_files_say(tmp_path):
    """`make proto` writes them; a change of a .proto file or of the compiler's version needs it."""
    subprocess.run([sys.executable, "proto/generate.py", str(tmp_path)], cwd=ROOT, check=True)
    assert files(tmp_path / "ticketsync") == files(GENERATED)


def test_every_proto_file_has_stubs():
    protos = {path.stem for path in (ROOT / "proto").rglob("*.proto")}
    assert protos == {path.name.removesuffix("_pb2.py") for path in GENERATED.rglob("*_pb2.py")}
