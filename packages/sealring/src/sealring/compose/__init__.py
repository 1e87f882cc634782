"""The one place that knows every room: opens the house from its settings, serves it, moves its store."""

from sealring.admin.act import Act
from sealring.compose.migrating import migrate_house
from sealring.compose.opening import (
    DemoTerms,
    OpenHouse,
    make_master_key,
    open_control_app,
    open_desk,
    open_house,
)
from sealring.compose.problem import ComposeProblem
from sealring.compose.restoring import restore_house
from sealring.compose.serving import serve_house

__all__ = [
    "Act",
    "ComposeProblem",
    "DemoTerms",
    "OpenHouse",
    "make_master_key",
    "migrate_house",
    "open_control_app",
    "open_desk",
    "open_house",
    "restore_house",
    "serve_house",
]
