from pathlib import Path

import pytest

from sealring.cli.recipe import RECIPES, recipe_problem

ROOT = Path(__file__).parents[4]


def test_each_recipe_goes_on_at_a_page_to_which_the_decision_leads() -> None:
    decision = (ROOT / "docs/explanation/do-you-need-tokens.md").read_text()
    for name, recipe in RECIPES.items():
        assert (ROOT / "docs/how-to" / recipe.how_to).is_file()
        assert f"`{name}`: [" in decision
        assert f"../how-to/{recipe.how_to}" in decision


def test_the_questions_are_those_of_the_decision() -> None:
    decision = (ROOT / "docs/explanation/do-you-need-tokens.md").read_text()
    written = (ROOT / "packages/sealring/src/sealring/cli/init.py").read_text()
    headings = [
        line.removeprefix("## ") for line in decision.splitlines() if line.startswith("## ") and line[3].isdigit()
    ]
    assert len(headings) == 4
    for heading in headings:
        assert heading in written


@pytest.mark.parametrize("name", RECIPES)
def test_only_a_back_end_vouches_for_its_users(name: str) -> None:
    assert recipe_problem(name, "self") is None
    assert (recipe_problem(name, "asserted") is None) == (name == "backend")


def test_an_answer_that_is_none_is_a_sentence() -> None:
    assert "site, page, backend, proxy, program" in str(recipe_problem("pages", "self"))
    assert "self or asserted" in str(recipe_problem("site", "nobody"))
