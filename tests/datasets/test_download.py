import errno
import hashlib
import http.server
import threading
import time

import pytest

from unweave._storage import written_whole
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
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/*")
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
    with pytest.raises(ConnectionError, match="was interrupted .* call again to resume it"):
        download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").stat().st_size == 300_000
    Handler.breaks_after = None
    path = download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert path.read_bytes() == CONTENT
    assert Handler.ranges[-1] == "bytes=300000-"


def test_a_full_disk_is_said_and_keeps_what_has_come(server, tmp_path, monkeypatch):
    def full(url, part, *_):
        part.write_bytes(CONTENT[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("unweave.datasets.download._fetch", full)
        with pytest.raises(OSError, match="disk is full, and .*file.part holds only a part of"):
            download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    path = download(f"{server}/file", tmp_path / "file", known_hash=HASH)
    assert path.read_bytes() == CONTENT
    assert Handler.ranges == ["bytes=1000-"]


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
    with pytest.raises(ConnectionError, match="was interrupted"):
        download("http://127.0.0.1:9/file", tmp_path / "file", known_hash=HASH)


@pytest.fixture
def serving():
    """Serve what a function of the handler writes, of any address; the server's own address."""
    servers = []

    def start(answer):
        class Any(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *_):
                pass

        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Any)
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        servers.append((httpd, thread))
        return f"http://127.0.0.1:{httpd.server_port}/file"

    yield start
    for httpd, thread in servers:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def answered(handler, *headers, status=200, body=b""):
    handler.send_response(status)
    for header in headers:
        handler.send_header(*header)
    handler.end_headers()
    handler.wfile.write(body)


def refused(error, url, folder, **options):
    with pytest.raises(error) as caught:
        download(url, folder / "file", known_hash=HASH, **options)
    assert not (folder / "file").exists()
    return str(caught.value)


def test_a_transfer_that_ends_early_says_how_much_came(serving, tmp_path):
    url = serving(lambda h: answered(h, ("Content-Length", "10"), body=b"abc"))
    said = refused(ConnectionError, url, tmp_path)
    assert "was interrupted (3 of 10 bytes came)" in said


@pytest.mark.parametrize("part", ["body", "headers"])
def test_a_server_that_drips_is_left(serving, tmp_path, part):
    def drip(handler):
        if part == "body":
            answered(handler, ("Content-Length", "1000000"))
        for _ in range(1_000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    begun = time.monotonic()
    said = refused(ConnectionError, serving(drip), tmp_path, timeout=0.5)
    assert ("slower than 10 kB/s" if part == "body" else "no answer began within 0.5 s") in said
    assert time.monotonic() - begun < 40


@pytest.mark.parametrize("declared", [True, False])
def test_more_bytes_than_the_file_has_are_not_taken(serving, tmp_path, declared):
    headers = [("Content-Length", str(len(CONTENT)))] if declared else []
    url = serving(lambda h: answered(h, *headers, body=CONTENT))
    said = refused(ValueError, url, tmp_path, most=300_000)
    assert "is not the file that was to be fetched" in said
    assert (
        "it has 1,048,576 bytes"
        if declared
        else "more than the 300,000 bytes came that were expected"
    ) in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["ftp://127.0.0.1:9/file", "file:///etc/hosts", "data:,x"])
def test_a_redirect_leads_to_http_alone(serving, tmp_path, place):
    url = serving(lambda h: answered(h, ("Location", place), status=302))
    said = refused(ConnectionError, url, tmp_path)
    if place.startswith("ftp"):
        assert f"it redirects to {place}, which is not http or https" in said
    else:
        assert f"Redirection to url '{place}' is not allowed" in said
    assert "is not an HTTP or HTTPS address" in refused(ValueError, place, tmp_path)


def test_a_redirect_to_another_place_is_followed(server, serving, tmp_path):
    url = serving(lambda h: answered(h, ("Location", f"{server}/file"), status=302))
    assert download(url, tmp_path / "file", known_hash=HASH).read_bytes() == CONTENT


@pytest.mark.parametrize("length", ["abc", "-1", "1_0", "\u0663".encode().decode("latin-1")])
def test_a_length_that_is_no_number_is_named(serving, tmp_path, length):
    url = serving(lambda h: answered(h, ("Content-Length", length), body=b"abc"))
    assert "as the number of its bytes" in refused(ConnectionError, url, tmp_path)


def test_a_range_that_was_not_asked_for_is_refused(serving, tmp_path):
    url = serving(lambda h: answered(h, status=416))
    assert "answered 416" in refused(ConnectionError, url, tmp_path)
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    ranges = ("Content-Range", f"bytes 500-{len(CONTENT) - 1}/{len(CONTENT)}")
    url = serving(lambda h: answered(h, ranges, status=206, body=CONTENT[500:]))
    said = refused(ConnectionError, url, tmp_path)
    assert "other bytes came than those from byte 1,000 on" in said


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
