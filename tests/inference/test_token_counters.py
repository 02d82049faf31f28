"""Virtual token counters: lifting, charging, forgetting."""

from hypothesis import given
from hypothesis import strategies as st

from inference.scheduling.token_counters import TokenCounters


def test_who_starts_to_wait_is_lifted_to_the_least_served_of_those_waiting():
    counters = TokenCounters()
    counters.activate("alice")
    counters.charge("alice", 500)
    counters.activate("bob")
    assert counters.of("bob") == 500


def test_lifting_never_lowers():
    counters = TokenCounters()
    counters.activate("alice")
    counters.activate("bob")
    counters.charge("bob", 900)
    counters.deactivate("bob")
    counters.activate("bob")
    assert counters.of("bob") == 900


def test_when_nobody_waits_the_last_who_did_sets_the_level():
    counters = TokenCounters()
    counters.activate("alice")
    counters.charge("alice", 700)
    counters.deactivate("alice")
    counters.activate("bob")
    assert counters.of("bob") == 700


def test_the_level_follows_counters_that_grow_while_waiting():
    counters = TokenCounters()
    counters.activate("alice")
    counters.activate("bob")
    counters.charge("alice", 300)
    counters.charge("bob", 200)
    counters.activate("carol")
    assert counters.of("carol") == 200


def test_idle_users_are_forgotten_once_the_level_has_passed_them():
    counters = TokenCounters()
    for number in range(1_000):
        user = f"user-{number}"
        counters.activate(user)
        counters.charge(user, 10)
        counters.deactivate(user)
        counters.retire(user)
    assert len(counters) < 5


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["wait", "leave", "use"]), st.integers(0, 99))
    )
)
def test_forgetting_changes_nothing(events):
    """The same events with and without forgetting give the same counters to everybody who waits."""
    forgetful, loyal = TokenCounters(), TokenCounters()
    waiting = set()
    for user, event, cost in events:
        for counters in (forgetful, loyal):
            if event == "wait":
                counters.activate(user)
            elif event == "leave":
                counters.deactivate(user)
            elif user in waiting:
                counters.charge(user, cost)
        if event == "wait":
            waiting.add(user)
        elif event == "leave":
            waiting.discard(user)
            forgetful.retire(user)
        assert all(forgetful.of(name) == loyal.of(name) for name in waiting)
        assert all(forgetful.of(name) >= 0 for name in "abcd")


def test_a_storm_of_visits_leaves_no_memory():
    counters = TokenCounters()
    counters.activate("patient")
    for _ in range(5_000):
        counters.activate("nervous")
        counters.charge("nervous", 1)
        counters.deactivate("nervous")
        counters.retire("nervous")
    assert counters.heap_entries < 300
