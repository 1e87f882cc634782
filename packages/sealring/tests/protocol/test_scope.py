import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.scope import Target, decide_target, parse_scope, scope_text

ALLOWED = {
    "orders": frozenset({"read", "orders:write"}),
    "stock": frozenset({"read", "stock:write"}),
    "empty": frozenset[str](),
}
tokens = st.text(alphabet=[chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\'], min_size=1, max_size=20)


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


@given(words=st.lists(tokens, min_size=1, max_size=64))
def test_a_scope_list_is_a_set_of_words(words: list[str]) -> None:
    assert parse_scope(" ".join(words)) == frozenset(words)


@given(words=st.frozensets(tokens, min_size=1, max_size=64))
def test_scopes_are_written_in_one_order_and_read_back(words: frozenset[str]) -> None:
    assert scope_text(words) == scope_text(sorted(words, reverse=True))
    assert parse_scope(scope_text(words)) == words


@pytest.mark.parametrize(
    "text",
    ["", " ", " read", "read ", "a  b", "a\tb", "a\nb", 'a"b', "a\\b", "é", "a\x00", "a\x7f", "\ud800", "x" * 129],
)
def test_a_malformed_scope_is_refused(text: str) -> None:
    assert code_of(parse_scope(text)) == "invalid_scope"


def test_a_scope_list_has_sixty_four_words_at_most() -> None:
    assert len(parse_scope(" ".join(map(str, range(64))))) == 64  # type: ignore[arg-type] # an error has no length
    assert code_of(parse_scope(" ".join(map(str, range(65))))) == "invalid_scope"


@given(text=st.text(alphabet=st.characters(), max_size=300))
def test_no_text_raises(text: str) -> None:
    outcome = parse_scope(text)
    assert isinstance(outcome, frozenset | OAuthError)


@pytest.mark.parametrize(
    ("scope", "resource", "expected"),
    [
        ({"orders:write"}, None, Target(audience="orders", scope=frozenset({"orders:write"}))),
        ({"read", "stock:write"}, None, Target(audience="stock", scope=frozenset({"read", "stock:write"}))),
        ({"read"}, "stock", Target(audience="stock", scope=frozenset({"read"}))),
        # With a resource the token carries that API's scopes only.
        ({"read", "orders:write"}, "stock", Target(audience="stock", scope=frozenset({"read"}))),
        ({"read"}, None, "invalid_target"),
        ({"orders:write", "stock:write"}, None, "invalid_target"),
        ({"orders:write"}, "stock", "invalid_target"),
        ({"read"}, "nobody", "invalid_target"),
        ({"read"}, "empty", "invalid_target"),
        ({"read"}, "", "invalid_target"),
        (set(), None, "invalid_scope"),
        (set(), "orders", "invalid_scope"),
        ({"read", "admin"}, None, "invalid_scope"),
        ({"read", "admin"}, "orders", "invalid_scope"),
    ],
)
def test_a_token_names_the_one_api_that_owns_its_scopes(
    scope: set[str], resource: str | None, expected: Target | str
) -> None:
    outcome = decide_target(frozenset(scope), resource, allowed=ALLOWED)
    assert (code_of(outcome) if isinstance(expected, str) else outcome) == expected


def test_a_client_that_may_reach_nothing_gets_nothing() -> None:
    assert code_of(decide_target(frozenset({"read"}), None, allowed={})) == "invalid_scope"


@given(scope=st.frozensets(st.sampled_from(["read", "orders:write", "stock:write", "admin"])), resource=st.text())
def test_no_target_carries_what_was_not_asked_or_not_allowed(scope: frozenset[str], resource: str) -> None:
    for named in (None, resource, "orders", "stock"):
        outcome = decide_target(scope, named, allowed=ALLOWED)
        if isinstance(outcome, Target):
            assert outcome.scope
            assert outcome.scope <= scope & ALLOWED[outcome.audience]
            assert named in {None, outcome.audience}
