"""Why a store cannot be opened."""

import msgspec


class StoreProblem(msgspec.Struct, frozen=True):
    """Why a store cannot be opened, as a sentence for the operator that says what to do."""

    sentence: str
