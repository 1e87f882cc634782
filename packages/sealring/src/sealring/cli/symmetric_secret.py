"""How a fresh secret of an API is shown, this once: as its verifier takes it, with its key id and the warning."""

from typing import Any

from sealring.cli.output import shown


def shown_secret(made: dict[str, Any], *, beside_the_last: bool = False) -> str:
    """Show a fresh secret. `beside_the_last`: the verifiers need the one before as well, while they turn."""
    value = made["symmetric_secret"]
    if beside_the_last:
        value = f"THE-ONE-BEFORE,{value}"
    return (
        f"SEALRING_SYMMETRIC_SECRETS={value}\n"
        f"key id {shown(made['kid'])}, for the API {shown(made['api'])}\n\nWARNING: {made['warning']}"
    )
