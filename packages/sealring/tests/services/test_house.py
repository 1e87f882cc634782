from types import SimpleNamespace


async def test_the_doors_and_the_operators_desk_of_a_node_halt_at_once(site: SimpleNamespace) -> None:
    opened = site.opened
    assert not opened.house.halted
    assert not opened.desk.halted
    opened.house.readiness.halted = True
    assert opened.house.halted
    assert opened.desk.halted
