"""Official files, downloaded from a server of our own."""

import hashlib
import http.server
import re
import threading
from dataclasses import replace

import pytest

from unweave.datasets import DSprites
from unweave.datasets.catalogue import DATASETS, DatasetEntry, Download
from unweave.datasets.official.fetching import fetch

FILES = {"a.npz": b"a" * 3000, "b.npz": b"b" * 500}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves FILES; the second only from where a download broke off."""

    asked: list[tuple[str, str | None]] = []

    def do_GET(self):
        wanted, name = self.headers.get("Range"), self.path.lstrip("/")
        self.asked.append((name, wanted))
        start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(FILES[name]) - start))
        self.end_headers()
        self.wfile.write(FILES[name][start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def entry():
    Handler.asked = []
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{httpd.server_port}"
    yield DatasetEntry(
        "toys", module="x", function="X", text="toys", n_images=1, image_shape=(1, 1, 1),
        factors="x 1", licence="none", source="here", files=tuple(FILES),
        downloads=tuple(
            Download(f"{address}/{name}", f"md5:{hashlib.md5(content).hexdigest()}", name, 0)
            for name, content in FILES.items()
        ),
    )  # fmt: skip
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_all_files_come_into_the_folder_of_the_dataset(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "b.npz.part").write_bytes(FILES["b.npz"][:200])
    seen = []
    files = fetch(entry, progress=lambda *a: seen.append(a))
    assert files == [tmp_path / "toys" / name for name in FILES]
    assert [file.read_bytes() for file in files] == list(FILES.values())
    assert Handler.asked == [("a.npz", None), ("b.npz", "bytes=200-")]
    assert seen[0][0] == "a.npz"
    assert seen[-1] == ("b.npz", 500, 500)
    assert fetch(entry) == files
    assert len(Handler.asked) == 2


def test_a_changed_file_is_refused(entry):
    wrong = replace(entry.downloads[0], known_hash="md5:" + "0" * 32)
    with pytest.raises(ValueError, match="was expected: it was removed"):
        fetch(replace(entry, downloads=(wrong,)))


def test_what_cannot_be_fetched_is_said():
    with pytest.raises(ValueError, match=r"mpi3d_real_complex has no stable address to download"):
        fetch("mpi3d_real_complex")
    with pytest.raises(ValueError, match="torus needs no files: its images are drawn when needed"):
        fetch("torus")
    with pytest.raises(ValueError, match="unknown dataset 'shapes' .did you mean"):
        fetch("shapes")


def test_every_file_of_the_catalogue_that_can_be_fetched_has_a_hash_and_is_read_by_its_name():
    for found in DATASETS.values():
        for item in found.downloads:
            algorithm, _, digest = item.known_hash.partition(":")
            assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
            assert item.url.startswith("http")
            assert item.url.endswith(item.file)
            assert not found.files or item.file in found.files
        if found.files and not found.downloads:
            assert found.where or found.source


def test_the_command_says_where_the_file_is_or_where_to_get_it(entry, cli, monkeypatch, tmp_path):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    monkeypatch.setitem(DATASETS, "toys", entry)
    code, out, _ = cli("data", "fetch", "toys")
    assert code == 0
    assert "fetched: " in out
    assert (tmp_path / "toys" / "a.npz").exists()
    code, out, err = cli("data", "fetch", "mpi3d_real_complex")
    assert code == 2
    assert "drive.google.com" in err
    assert "mpi3d_real_complex:PATH" in err
    assert out == ""


def test_dsprites_is_fetched_as_before(monkeypatch, tmp_path):
    seen = []

    def served(entry, *, progress):
        progress("x", 1, 2)
        return [tmp_path / entry]

    monkeypatch.setattr("unweave.datasets.drawn.dsprites.fetch", served)
    assert DSprites.fetch(lambda *a: seen.append(a)) == tmp_path / "dsprites"
    assert seen == [(1, 2)]
