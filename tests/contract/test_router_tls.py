"""TLS with the operator's own certificates, with a real HAProxy."""

import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from routed import CHECK, HOST, alive, pid, table, until

from longshore.adapters.router import HAProxyRouter
from longshore.domain.specs import Routing


def pem(host: str, key=None, other_key=None) -> str:
    """A certificate of a host, signed by itself, with its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    written = (other_key or key).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode() + written.decode()


@pytest.fixture(scope="module")
def folder(yard):
    """The operator's folder, with one good certificate."""
    folder = yard.settings.root / "mine"
    folder.mkdir()
    (folder / "hello.pem").write_text(pem(HOST))
    return folder


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def router(yard, folder, tls_port):
    settings = yard.settings
    ours = HAProxyRouter(
        settings.root / "router", settings.sockets / "router", settings.router_port, tls=(tls_port, folder)
    )
    ours.write(list)
    yard.parts.ensure()
    until(lambda: alive(ours))
    yield ours
    ours._client.close()


def hello(port: int, host: str, alpn=("http/1.1",)) -> ssl.SSLSocket:
    """A TLS connection; whoever is answered trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5), server_hostname=host)


def certified(port: int, host: str) -> str:
    with hello(port, host) as line:
        return x509.load_der_x509_certificate(line.getpeercert(binary_form=True)).subject.rfc4514_string()


def test_an_app_answers_over_tls_and_learns_of_it(both, tls_port):
    url, extensions = f"https://127.0.0.1:{tls_port}/headers", {"sni_hostname": HOST}
    with httpx.Client(verify=False, trust_env=False) as client:
        got = client.get(url, headers={"host": HOST}, extensions=extensions).json()
    assert {name.lower(): value for name, value in got.items()}["x-forwarded-proto"] == "https"


def test_http_2_is_agreed_on(both, tls_port):
    with hello(tls_port, HOST, ("h2", "http/1.1")) as line:
        assert line.selected_alpn_protocol() == "h2"
    url = f"https://{HOST}:{tls_port}/"
    command = ["curl", "-sk", "--resolve", f"{HOST}:{tls_port}:127.0.0.1", "-w", "%{http_version}", url]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"old2"


def test_a_host_without_a_certificate_is_refused(both, tls_port):
    with pytest.raises(ssl.SSLError):
        hello(tls_port, "other.localhost")


def test_certificates_come_and_go_with_the_files_and_are_chosen_by_name(both, servers, folder, tls_port):
    (folder / "other.pem").write_text(pem("other.localhost"))
    both.apply(lambda: table(servers, "a"))
    assert (certified(tls_port, "other.localhost"), certified(tls_port, HOST)) == ("CN=other.localhost", f"CN={HOST}")
    before = pid(both)
    both.apply(lambda: table(servers, "a"))
    assert pid(both) == before
    (folder / "other.pem").unlink()
    both.apply(lambda: table(servers, "a"))
    with pytest.raises(ssl.SSLError):
        hello(tls_port, "other.localhost")


def bad_ones() -> dict[str, str]:
    good = pem("bad.localhost")
    return {
        "empty.pem": "",
        "words.pem": "not a certificate",
        "no key.pem": good.partition("-----BEGIN PRIVATE KEY")[0],
        "cut.pem": good[:300],
        "another-key.pem": pem("bad.localhost", other_key=ec.generate_private_key(ec.SECP256R1())),
        "weak.pem": pem("bad.localhost", key=rsa.generate_private_key(65537, 1024)),
        "binary.pem": "\xff\x00\n",
    }


def test_bad_files_are_left_out_and_named_and_the_others_go_on(both, servers, folder, tls_port, ask, yard):
    (folder / "second.pem").write_text(pem("second.localhost"))
    for name, text in bad_ones().items():
        (folder / name).write_text(text)
    try:
        both.apply(lambda: table(servers, "a"))
        assert certified(tls_port, "second.localhost") == "CN=second.localhost"
        assert ask().text == "old"
        found = both.certificates()
        assert {name for name, problem in found.items() if problem} == bad_ones().keys()
        yard.connection.client.restart(f"{yard.stack}.router", 2)
        until(lambda: alive(both))
        assert certified(tls_port, HOST) == f"CN={HOST}"
    finally:
        for name in [*bad_ones(), "second.pem"]:
            (folder / name).unlink()


def test_keys_are_only_ours_to_read(both, yard):
    (copy,) = (yard.settings.root / "router").glob("*certificates-*")
    assert [oct(path.stat().st_mode & 0o777) for path in (copy, *copy.iterdir())] == ["0o700", "0o600"]


def test_an_app_may_send_everybody_to_https(both, servers, client, tls_port, ask):
    both.apply(lambda: table(servers, "a", routing=Routing(redirect_https=True)))
    answer = client.post("/a?b=c")
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{HOST}:{tls_port}/a?b=c")
    assert both.probe(None, HOST, CHECK).served_by == "hello_a/g1.web.1"
    both.apply(lambda: table(servers, "a"))
    assert ask().text == "old"


def test_a_folder_without_certificates_does_no_harm(both, servers, folder, tls_port, ask):
    kept = (folder / "hello.pem").read_text()
    (folder / "hello.pem").unlink()
    both.apply(lambda: table(servers, "a"))
    assert ask().text == "old"
    (folder / "hello.pem").write_text(kept)
    both.apply(lambda: table(servers, "a"))
    assert certified(tls_port, HOST) == f"CN={HOST}"
