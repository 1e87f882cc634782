"""What keeps a server from starting is a sentence that says what to do, and exit status 2."""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Installation


async def refused(installation: "Installation") -> str:
    """Start the server, which must refuse; return what it said."""
    ran = await installation.run("serve")
    assert ran.status == 2, ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    return ran.err


async def test_an_unknown_configuration_key_is_named(installation: "Installation") -> None:
    installation.configure(server="colour = 1")
    assert "colour" in await refused(installation)


async def test_broken_toml_is_said(installation: "Installation") -> None:
    installation.configuration.write_text("issuer = \n")
    assert "not valid TOML" in await refused(installation)


async def test_a_missing_master_key_is_said(installation: "Installation") -> None:
    (installation.folder / "secrets" / "master.key").unlink()
    assert "master.key" in await refused(installation)


async def test_a_master_key_that_others_may_read_is_said(installation: "Installation") -> None:
    (installation.folder / "secrets" / "master.key").chmod(0o644)
    assert "master.key" in await refused(installation)


async def test_an_unwritable_data_directory_is_said(installation: "Installation") -> None:
    # A file where the directory should be: permissions would not stop root.
    (installation.folder / "data").write_text("")
    assert "data" in await refused(installation)


async def test_a_file_that_is_no_database_is_said(installation: "Installation") -> None:
    (installation.folder / "data").mkdir()
    (installation.folder / "data" / "sealring.db").write_text("not a database" * 100)
    assert "sealring.db" in await refused(installation)


async def test_a_port_in_use_is_said(installation: "Installation") -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", installation.port))
        other.listen()
        assert f"port {installation.port}" in await refused(installation)


async def test_a_plain_http_issuer_on_a_public_address_is_said(installation: "Installation") -> None:
    installation.issuer = "http://auth.example.com"
    installation.configure()
    assert "https" in await refused(installation)


async def test_the_master_key_of_another_installation_is_said(installation: "Installation") -> None:
    await installation.furnish()
    from sealring.signing.master_key import generate_master_key, write_master_key

    key = installation.folder / "secrets" / "master.key"
    key.unlink()
    write_master_key(key, generate_master_key(randomness=lambda size: b"\1" * size))
    assert "master key" in (await refused(installation)).lower()


async def test_a_database_that_is_not_there_is_said_without_its_password(installation: "Installation") -> None:
    installation.database = "postgresql://ada:pw_of_ada@127.0.0.1:1/sealring"
    installation.configure()
    said = await refused(installation)
    assert "The database sealring on 127.0.0.1:1 cannot be reached" in said
    assert "pw_of_ada" not in said
