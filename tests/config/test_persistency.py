"""Which files stay offered, as an operator writes it."""

import pytest

from learnae.config.persistency import parse_policy
from learnae.config.resolve import load_settings
from learnae.config.settings import KeepingSection
from learnae.errors import ConfigError
from learnae.values.persistency import ALL, BEST, NONE, Policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("all", ALL),
        ("best", BEST),
        ("none", NONE),
        ("last 1", Policy(last=1)),
        ("last 999999", Policy(last=999_999)),
    ],
)
def test_reads_every_policy(text: str, policy: Policy) -> None:
    assert parse_policy(text) == policy


WRONG = [
    "",
    "All",
    "last",
    "last 0",
    "last 01",
    "last -1",
    "last 1.5",
    "last  2",
    "last 1000000",
    "last 3 ",
    "last3",
    "3",
    "last ٣",
]


@pytest.mark.parametrize("text", WRONG)
def test_says_what_a_policy_is(text: str) -> None:
    with pytest.raises(ConfigError, match="write all, best, none, or last and a number, such as last 3"):
        parse_policy(text)
    with pytest.raises(ConfigError, match=r"keeping\.foreign_models = .* accepted: all, best, none, or last N such as last 3"):
        load_settings(None, {"keeping.foreign_models": text})


@pytest.mark.parametrize("key", ["own_hashlists", "foreign_hashlists", "foreign_slices"])
def test_only_models_have_scores(key: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"keeping\.{key} = 'best' cannot be used; accepted: all, none, or last N such as last 3"
    ):
        load_settings(None, {f"keeping.{key}": "best"})


def test_the_settings_come_to_policies() -> None:
    environment = {"LEARNAE_KEEPING__FOREIGN_SLICES": "all"}
    settings = load_settings(None, {"keeping.own_models": "last 3"}, environment).settings
    persistency = settings.keeping.persistency
    assert (persistency.own_models, persistency.foreign_slices) == (Policy(last=3), ALL)


def test_by_default_a_long_session_fills_no_disk() -> None:
    policies = KeepingSection().persistency
    for policy in (
        policies.own_models,
        policies.own_hashlists,
        policies.foreign_models,
        policies.foreign_slices,
        policies.foreign_hashlists,
    ):
        assert policy.last is not None
    assert policies.foreign_models != NONE, "resilience above one"
