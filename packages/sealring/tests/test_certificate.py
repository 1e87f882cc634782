import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from sealring import compose, config
from sealring.compose.certificate import Certificate
from sealring.signing.master_key import generate_master_key, write_master_key


def problem_of(certificate_file: Path, key_file: Path) -> str:
    with pytest.raises(compose.ComposeProblem) as raised:
        Certificate(certificate_file, key_file)
    return str(raised.value)


def replace(file: Path, content: bytes) -> None:
    """As certbot does: another file in its place."""
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(file)


def test_a_pair_that_does_not_change_is_read_once(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    certificate = Certificate(*authority.issue("localhost"))
    before = certificate.context()
    certificate.reload_if_changed()
    assert certificate.context() is before


def test_a_renewed_pair_is_served_and_told(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    certificate = Certificate(*authority.issue("localhost"))
    before = certificate.context()
    authority.issue("localhost")
    with structlog.testing.capture_logs() as lines:
        certificate.reload_if_changed()
        certificate.reload_if_changed()
    assert certificate.context() is not before
    assert [line["event"] for line in lines] == ["certificate_reloaded"]


def test_a_broken_new_pair_keeps_the_old_one_until_it_is_whole(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    certificate_file, key_file = authority.issue("localhost")
    certificate = Certificate(certificate_file, key_file)
    before = certificate.context()
    newer, newer_key = authority.issue("localhost", into="newer")
    replace(certificate_file, newer.read_bytes())
    with structlog.testing.capture_logs() as lines:
        certificate.reload_if_changed()
        certificate.reload_if_changed()
    assert [line["event"] for line in lines] == ["certificate_not_reloaded"]
    assert "do not serve together" in lines[0]["advice"]
    assert certificate.context() is before
    replace(key_file, newer_key.read_bytes())
    certificate.reload_if_changed()
    assert certificate.context() is not before


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_nonsense_in_either_file_is_a_sentence(authority: Any, content: bytes) -> None:  # noqa: ANN401 -- a fixture
    certificate_file, key_file = authority.issue("localhost")
    whole = certificate_file.read_bytes()
    certificate_file.write_bytes(content)
    assert "do not serve together" in problem_of(certificate_file, key_file)
    certificate_file.write_bytes(whole)
    key_file.write_bytes(content)
    assert "do not serve together" in problem_of(certificate_file, key_file)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    from cryptography.hazmat.primitives import serialization

    certificate_file, key_file = authority.issue("localhost")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    shape = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key_file.write_bytes(key.private_bytes(*shape, serialization.BestAvailableEncryption(b"word")))
    assert "not encrypted" in problem_of(certificate_file, key_file)


def test_a_missing_file_is_a_sentence_and_stays_one_line_of_the_log(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    certificate_file, key_file = authority.issue("localhost")
    certificate = Certificate(certificate_file, key_file)
    key_file.unlink()
    with structlog.testing.capture_logs() as lines:
        certificate.reload_if_changed()
        certificate.reload_if_changed()
    assert [line["event"] for line in lines] == ["certificate_not_reloaded"]
    assert "cannot be read" in problem_of(certificate_file, key_file)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o602])
def test_a_key_that_everybody_reads_or_others_write_is_refused(authority: Any, mode: int) -> None:  # noqa: ANN401 -- a fixture
    certificate_file, key_file = authority.issue("localhost")
    key_file.chmod(mode)
    assert f"mode 0{mode:o}" in problem_of(certificate_file, key_file)


def test_a_group_may_read_the_key(authority: Any) -> None:  # noqa: ANN401 -- a fixture
    certificate_file, key_file = authority.issue("localhost")
    key_file.chmod(0o640)
    assert isinstance(Certificate(certificate_file, key_file).context(), ssl.SSLContext)


async def test_a_server_with_a_certificate_answers_by_https_and_takes_up_the_next_one(
    authority: Any,  # noqa: ANN401 -- a fixture
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    certificate_file, key_file = authority.issue("localhost")
    port = unused_tcp_port_factory()
    settings = config.make_settings(
        {
            "issuer": f"https://localhost:{port}",
            "server": {"port": port},
            "tls": {"certificate_file": str(certificate_file), "key_file": str(key_file)},
        },
        folder=tmp_path,
        source="tests",
    )
    assert isinstance(settings, config.Settings), settings
    assert write_master_key(tmp_path / "secrets/master.key", generate_master_key(randomness=os.urandom)) is None
    started, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(compose.serve_house(settings, announce=started.set, until=stop))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    context = authority.client_context()

    async def ask() -> tuple[str, bytes]:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n" % port)
        number = writer.get_extra_info("peercert")["serialNumber"]
        answer = await reader.read()
        writer.close()
        return number, answer

    first, answer = await ask()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    # Browsers would apply it to every port of `localhost`.
    assert b"strict-transport-security" not in answer
    authority.issue("localhost")
    for _ in range(50):
        number, _ = await ask()
        if number != first:
            break
        await asyncio.sleep(0.1)
    assert number != first
    assert (tmp_path / "run/control.sock").is_socket()
    stop.set()
    await serving
