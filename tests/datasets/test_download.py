import hashlib
import http.server
import threading

import pytest

from unweave.datasets.cache import written_whole
from unweave.datasets.download import download

CONTENT = bytes(range(256)) * 4096  # 1 MiB
HASH = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, with ranges; can break off after some bytes."""

    breaks_after: int | None = None
    ranges: list[str | None] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.path != "/file":
            self.send_error(404)
        elif start >= len(CONTENT):
            self.send_error(416)
        else:
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            stop = len(CONTENT) if self.breaks_after is None else self.breaks_after
            self.wfile.write(CONTENT[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.breaks_after, Handler.ranges = None, []
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_file_comes_whole_and_is_not_fetched_again(server, tmp_path):
    seen = []
    path = download(
        f"{server}/file", tmp_path / "file", known_hash=HASH, progress=lambda *a: seen.append(a)
    )
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    download(f"{server}/file", path, known_hash=HASH)
    assert len(Handler.ranges) == 1


def test_a_broken_transfer_goes_on_where_it_was(server, tmp_path):
    Handler.breaks_after = 300_000
    with pytest.raises(ConnectionError, match="broke off .* call again"):
        download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").stat().st_size == 300_000
    Handler.breaks_after = None
    path = download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert path.read_bytes() == CONTENT
    assert Handler.ranges[-1] == "bytes=300000-"


def test_a_part_that_is_whole_already_is_checked_and_kept(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    path = download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert path.read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_removed(server, tmp_path):
    with pytest.raises(ValueError, match="was expected: it was removed"):
        download(f"{server}/file", tmp_path / "file", known_hash="sha256:" + "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_says_so(server, tmp_path):
    with pytest.raises(ConnectionError, match="answered 404"):
        download(f"{server}/other", tmp_path / "file", known_hash=HASH)


def test_a_server_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConnectionError, match="broke off"):
        download("http://127.0.0.1:9/file", tmp_path / "file", known_hash=HASH)


def test_a_failed_write_leaves_nothing(tmp_path):
    def half_a_write():
        with written_whole(tmp_path / "a") as name:
            name.write_text("half")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        half_a_write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="cannot write into .*choose another folder"):
        with written_whole(tmp_path / "file" / "a"):
            pass
