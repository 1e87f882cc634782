"""`/admin/enroll`: where the first administrator's one-use link leads (SECURITY D8)."""

from typing import Final

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import parse_json_object
from sealring.protocol.secret import Secret
from sealring.services.administrator import EnrollAdministrator, enroll_administrator
from sealring.services.house import House
from sealring.web.endpoints.session import refuse_content
from sealring.web.exchange import Answer, Request, json_answer, refusal_answer
from sealring.web.pages.render import PAGES, page_values, render_page

_LIMITED_AS: Final = "administrator link"


class _EnrollMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    link_secret: str
    username: str | None = None
    email: str | None = None
    password: str


async def get_admin_enroll(_request: Request, house: House) -> Answer:
    """Show the page; the link's secret is in the fragment, so it never came here."""
    return render_page(PAGES, "admin_enroll.html", page_values(house, {}))


async def post_admin_enroll(request: Request, house: House) -> Answer:
    """Spend the link and make its administrator."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return refusal_answer(refuse("origin_not_registered"))
    members = refuse_content(request) or parse_json_object(request.body, _EnrollMembers)
    if isinstance(members, OAuthError):
        return refusal_answer(members)
    limited = house.limit.admit(_LIMITED_AS, request.caller.network)
    if limited is not None:
        return refusal_answer(refuse("too_many_attempts", retry_after=limited.retry_after))
    outcome = await enroll_administrator(
        EnrollAdministrator(
            link_secret=Secret(members.link_secret),
            username=members.username,
            email=members.email,
            password=Secret(members.password),
        ),
        store=house.store,
        hashing=house.hashing,
        password_policy=house.password_policy,
        clock=house.clock,
        randomness=house.randomness,
    )
    if isinstance(outcome, OAuthError):
        if outcome.code == "link_refused":
            house.limit.count_failure(_LIMITED_AS, request.caller.network)
        return refusal_answer(outcome)
    return json_answer({"username": outcome.username, "email": outcome.email})
