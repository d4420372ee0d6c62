"""Proxies of the environment, and certificates, over real sockets."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cloud.connecting import NoAnswer
from shared.cloud.connections import Connections, lost
from shared.errors import CallError
from tests.emulator.certificates import cluster_certificates, server_context
from tests.support.scripted_server import Scripted, ok, says, scripted_server, tunnel

PASSWORD = "p@ss:w/ord"
SPELT = "p%40ss:w%2Ford"
AUTHORIZATION = b"Proxy-Authorization: Basic " + base64.b64encode(f"user:{PASSWORD}".encode())
CLUSTER = "connecting"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "authorities.pem"
    file.write_text(cluster_certificates(CLUSTER).authority)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return file


@pytest.fixture
def secure() -> Iterator[Scripted]:
    with scripted_server(says(ok()), server_context(CLUSTER)) as server:
        yield server


def carry(connection: socket.socket, request: bytes) -> bool:
    """A proxy that asks for the password."""
    if AUTHORIZATION not in request:
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    elif request.startswith(b"CONNECT"):
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        tunnel(connection, int(request.split()[1].rpartition(b":")[2]))
    else:
        connection.sendall(ok(b"from the proxy"))
        return True
    return False


def get(connections: Connections) -> bytes:
    headers = {"Authorization": "Bearer t1.secret"}
    return connections.send("GET", "/x", None, headers, 10, most=1000).body


def test_a_plain_server_behind_a_proxy_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server(carry) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:{SPELT}@127.0.0.1:{proxy.port}")
        connections = Connections("http://registry.test:81/below", 1)
        assert [get(connections), get(connections)] == [b"from the proxy"] * 2

    assert proxy.first_lines() == ["GET http://registry.test:81/below/x HTTP/1.1"] * 2
    assert b"\r\nHost: registry.test:81\r\n" in proxy.requests[0]
    assert proxy.connections == 1


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "over TLS"])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
def test_a_server_by_tls_behind_a_proxy_with_a_password(
    name: str, secured: bool, secure: Scripted, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server(carry, server_context(CLUSTER) if secured else None) as proxy:
        scheme = "https" if secured else "http"
        monkeypatch.setenv(name, f"{scheme}://user:{SPELT}@127.0.0.1:{proxy.port}")
        connections = Connections(f"https://127.0.0.1:{secure.port}", 1)
        assert [get(connections), get(connections)] == [b"{}"] * 2

    assert proxy.first_lines() == [f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1"]
    assert b"secret" not in proxy.requests[0]
    assert secure.first_lines() == ["GET /x HTTP/1.1"] * 2
    assert b"Proxy-Authorization" not in secure.requests[0]


def test_a_proxy_that_is_given_the_wrong_password(
    secure: Scripted, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server(carry) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:wrong-word@127.0.0.1:{proxy.port}")
        with pytest.raises(NoAnswer, match=r"the proxy makes no connection \(HTTP 407\)") as raised:
            get(Connections(f"https://127.0.0.1:{secure.port}", 1))

    error = lost(raised.value, "registry", "GET /x")
    assert not error.ambiguous
    assert "wrong-word" not in str(error)
    assert secure.requests == []


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
def test_a_proxy_that_is_none(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server(says(answer, kept=False)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NoAnswer, match="the proxy makes no connection"):
            get(Connections("https://registry.test", 1))


def test_a_proxy_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{port}")
    with pytest.raises(NoAnswer, match="the proxy makes no connection"):
        get(Connections("http://registry.test", 1))


@pytest.mark.parametrize("exception", ["127.0.0.1", "127.0.0.0/8", "*", "x.test, 127.0.0.1"])
def test_no_proxy_is_asked_for_a_server_that_is_excepted(
    exception: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server(carry) as proxy, scripted_server(says(ok())) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exception)
        assert get(Connections(server.url, 1)) == b"{}"

    assert proxy.requests == []


@pytest.mark.parametrize("direct", [False, True])
def test_no_proxy_is_asked_for_a_cluster_or_the_metadata_service(
    direct: bool, secure: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server(carry) as proxy, scripted_server(says(ok())) as plain:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        authority = cluster_certificates(CLUSTER).authority
        if direct:
            assert get(Connections(plain.url, 1, direct=True)) == b"{}"
        else:
            assert get(Connections(f"https://127.0.0.1:{secure.port}", 1, authority)) == b"{}"

    assert proxy.requests == []


@pytest.mark.parametrize(
    "url", ["socks5://user:secret@127.0.0.1:1080", "http://user:secret@[bad", "http://user:secret@:80"]
)
def test_a_variable_that_names_no_proxy_is_named_without_its_secret(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(CallError, match="HTTPS_PROXY") as raised:
        Connections("https://registry.test", 1)

    assert "secret" not in str(raised.value)


def test_the_authority_of_a_cluster_is_trusted_for_its_server(secure: Scripted) -> None:
    authority = cluster_certificates(CLUSTER).authority
    connections = Connections(f"https://127.0.0.1:{secure.port}", 1, authority)

    assert [get(connections), get(connections)] == [b"{}"] * 2
    assert secure.connections == 1


DISTRUSTED = {
    "no authority of the world": ("127.0.0.1", "", "certificate is not trusted$"),
    "the authority of another cluster": ("127.0.0.1", "another", "certificate is not trusted$"),
    "a certificate of another name": ("localhost", CLUSTER, "not trusted: it is for another name"),
}


@pytest.mark.parametrize(("host", "cluster", "why"), DISTRUSTED.values(), ids=DISTRUSTED.keys())
def test_nothing_is_sent_to_a_server_that_is_not_trusted(
    host: str, cluster: str, why: str, secure: Scripted
) -> None:
    authority = cluster_certificates(cluster).authority if cluster else ""
    with pytest.raises(NoAnswer, match=why) as raised:
        get(Connections(f"https://{host}:{secure.port}", 1, authority))

    assert not raised.value.sent
    assert secure.requests == []


def test_a_server_that_speaks_no_tls() -> None:
    def greet() -> None:
        with listening.accept()[0] as connection:
            connection.sendall(b"220 mail.test ESMTP\r\n")
            connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(NoAnswer, match="no connection can be made") as raised:
            get(Connections(f"https://127.0.0.1:{listening.getsockname()[1]}", 1))

    assert not raised.value.sent


def test_an_authority_that_is_no_pem() -> None:
    with pytest.raises(CallError, match="CA is not PEM"):
        Connections("https://127.0.0.1", 1, "nonsense")


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_bundle_of_authorities_that_is_none(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bundle.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(file))
    with pytest.raises(CallError, match="CURL_CA_BUNDLE"):
        Connections("https://registry.test", 1)


def test_a_bundle_of_authorities_is_trusted(secure: Scripted, bundle: Path) -> None:
    assert get(Connections(f"https://127.0.0.1:{secure.port}", 1)) == b"{}"


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(NoAnswer, match="its name cannot be resolved") as raised:
        get(Connections("http://" + "a" * 64 + ".test", 1))

    assert not raised.value.sent
