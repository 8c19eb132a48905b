"""The server of a page answers this machine alone, who knows the token, and bears anything."""

import http.client
import socket
import threading

import numpy as np
import pytest

from unweave.explorer.server import PageServer


@pytest.fixture(scope="module")
def server(serving):
    images = np.arange(5 * 12, dtype=np.uint8).reshape(5, 2, 2, 3)
    with serving(PageServer("<p>page</p>", lambda row: images[row], 5)) as server:
        yield server


def ask(server, path, *, method="GET", host=None, **headers):
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_who_knows_the_token_gets_the_page_and_its_images(server):
    token, port = server.token, server.server_address[1]
    assert server.address == f"http://127.0.0.1:{port}/{token}/"
    status, body, headers = ask(server, f"/{token}/")
    assert (status, body) == (200, b"<p>page</p>")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert ask(server, f"/{token}/", host=f"localhost:{port}")[0] == 200
    assert ask(server, f"/{token}/alive")[1] == b"yes"
    status, body, _ = ask(server, f"/{token}/image?row=3")
    assert (status, list(body)) == (200, list(range(36, 48)))
    status, body, headers = ask(server, f"/{token}/", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "11")


@pytest.mark.parametrize("path", ["/", "//", "/{wrong}/", "/{token}x/", "/..%2f{token}/", "/é/"])
def test_without_the_token_there_is_nothing(server, path):
    path = path.format(token=server.token, wrong="x" * len(server.token))
    raw = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_address[1]}\r\n\r\n"
    with socket.create_connection(server.server_address, timeout=30) as client:
        client.sendall(raw.encode())
        answer = client.recv(4096)
    assert answer.split()[1] == b"404"
    assert b"page" not in answer.split(b"\r\n\r\n", 1)[1]


def test_two_servers_have_two_tokens(server):
    with PageServer("") as other:
        assert other.token != server.token
        assert min(len(other.token), len(server.token)) >= 32
        assert other.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("example.org", {}),  # a name that was made to point here
        ("127.0.0.1", {}),
        (None, {"Origin": "http://example.org"}),
        (None, {"Origin": "null"}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
        (None, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_other_pages_and_other_hosts_are_refused(server, host, headers):
    assert ask(server, f"/{server.token}/", host=host, **headers)[0] == 403
    assert ask(server, f"/{server.token}/image?row=0", host=host, **headers)[0] == 403


@pytest.mark.parametrize("name", ["../../etc/passwd", "page/main.js", "..", "server.py", "image/0"])
def test_nothing_else_is_served(server, name):
    status, body, _ = ask(server, f"/{server.token}/{name}")
    assert status == 404
    assert body == b"there is nothing of this name"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("row=5", 404),
        ("row=-1", 400),
        ("row=x", 400),
        ("", 400),
        ("row=" + "9" * 30, 400),
        ("row=%D9%A3", 400),
    ],
)
def test_rows_that_are_none_are_refused(server, query, status):
    assert ask(server, f"/{server.token}/image?{query}")[0] == status


def test_nothing_is_taken(server):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"):
        assert ask(server, f"/{server.token}/", method=method)[0] == 501


def test_malformed_requests_and_a_thousand_at_once_do_not_stop_it(server):
    rng = np.random.default_rng(0)
    pieces = [b"\0" * 10, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70_000, b""]
    pieces += [b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", rng.bytes(500)]
    for piece in pieces:
        with socket.create_connection(server.server_address, timeout=30) as client:
            client.sendall(piece)
    idle = [socket.create_connection(server.server_address, timeout=30) for _ in range(20)]
    found = []

    def many():
        for _ in range(20):
            found.append(ask(server, f"/{server.token}/image?row=1")[0])

    threads = [threading.Thread(target=many) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in idle:
        client.close()
    assert found == [200] * 1000
    assert ask(server, f"/{server.token}/alive")[0] == 200


def test_a_thousand_connections_are_held_open_together(server):
    port = server.server_address[1]
    request = f"GET /{server.token}/alive HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    clients = [socket.create_connection(server.server_address, timeout=60) for _ in range(100)]
    clients += [socket.create_connection(server.server_address, timeout=60) for _ in range(900)]
    for client in reversed(clients):  # the last ones first: those before them wait in silence
        client.sendall(request)
    answers = []
    for client in clients:
        with client:
            answers.append(client.makefile("rb").read())
    assert all(answer.endswith(b"yes") for answer in answers)


def test_a_taken_port_is_an_error(server):
    with pytest.raises(OSError, match="Address already in use"):
        PageServer("", port=server.server_address[1])
