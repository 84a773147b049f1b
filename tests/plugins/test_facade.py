import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from learnae.cli.peer_commands import SettingsCommands
from learnae.errors import ConfigError, ProviderError, UnavailableError
from learnae.hookspecs import hookimpl
from learnae.interfaces.provider import Capability, Context, Finding, Option, Provider
from learnae.plugins import Listing, Plugins
from learnae.testing.rows import toy_manifest
from learnae.values.announcements import ModelRecord
from learnae.values.choices import Phase
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.journal import PhaseChanged
from learnae.values.scores import Score

PEER = PeerId("a" * 64)
CHANGE = PhaseChanged(before=Phase.NEW, after=Phase.SCORING, cycle=0)
RECORD = ModelRecord(digest=Digest("d" * 64), score=Score(accuracy=0.5, loss=0.7, rows=10), maturity=1)


def plugin(name: str, **hooks: Callable[..., object]) -> ModuleType:
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def storage(name: str, *options: Option, **more: Any) -> Provider[Any]:
    return Provider(name, f"Storage {name}.", more.pop("open", lambda context: context), options, **more)


def storages(name: str, *providers: Provider[Any]) -> ModuleType:
    return plugin(name, learnae_storages=lambda: list(providers))


def refuse(*_: object, **__: object) -> Any:
    message = "no,\n  thank you"
    raise RuntimeError(message)


def leave(*_: object, **__: object) -> Any:
    raise SystemExit(3)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        manifest=toy_manifest(), session=SessionId("b" * 64), rendezvous="c" * 64, peer=PEER, owner="d" * 64, state=tmp_path
    )


def given(context: Context, **options: Any) -> Context:
    return Context(context.manifest, context.session, context.rendezvous, context.peer, context.owner, context.state, options)


def test_providers_of_every_capability_are_listed_and_opened(context: Context) -> None:
    hooks = ("learnae_transports", "learnae_storages", "learnae_sensor_sources", "learnae_frameworks")
    plugins = Plugins.of(plugin("all", **{hook: lambda hook=hook: [storage(f"own-{hook[8:11]}")] for hook in hooks}))
    assert plugins.failures == ()
    assert [(each.capability, each.provider.name) for each in plugins.providers()] == [
        (Capability.FRAMEWORK, "own-fra"),
        (Capability.SENSORS, "own-sen"),
        (Capability.STORAGE, "own-sto"),
        (Capability.TRANSPORT, "own-tra"),
    ]
    for each in plugins.providers():
        assert plugins.get(each.capability, each.provider.name) is each.provider
        assert isinstance(plugins.open(each.capability, each.provider.name, context), Context)
        assert plugins.check(each.capability, each.provider.name, context) == ()


def test_a_hook_may_be_a_generator_and_a_plugin_an_object() -> None:
    class Mine:
        @hookimpl
        def learnae_storages(self) -> Any:
            yield storage("one")
            yield storage("two")

    plugins = Plugins.of(Mine())
    assert [each.provider.name for each in plugins.providers(Capability.STORAGE)] == ["one", "two"]
    assert str(plugins.providers()[0].source) == "the module Mine"


def test_an_unknown_name_lists_what_is_installed_and_what_was_perhaps_meant() -> None:
    plugins = Plugins.of(storages("a", storage("localfs"), storage("ipfs")))
    with pytest.raises(ProviderError) as caught:
        plugins.get(Capability.STORAGE, "ipsf")
    assert str(caught.value) == "no storage named 'ipsf'; installed: ipfs, localfs; did you mean 'ipfs'?"
    with pytest.raises(ProviderError, match=r"^no sensor source named 'ipfs'; installed: none$"):
        plugins.get(Capability.SENSORS, "ipfs")


def test_an_unknown_name_mentions_plugins_that_failed() -> None:
    plugins = Plugins.of(plugin("broken", learnae_storages=refuse), plugin("noisy", learnae_transition=refuse))
    plugins.announce_transition(PEER, CHANGE)
    with pytest.raises(ProviderError, match=r"installed: none; failed to load: broken \(`learnae plugins` says why\)$"):
        plugins.get(Capability.STORAGE, "x")


def test_two_of_one_name_are_an_error_only_for_who_asks_for_it() -> None:
    plugins = Plugins.of(storages("a", storage("same")), storages("b", storage("same"), storage("other")))
    with pytest.raises(ProviderError) as caught:
        plugins.get(Capability.STORAGE, "same")
    assert str(caught.value) == ("2 plugins provide a storage named 'same': the module a and the module b; uninstall all but one")
    assert plugins.get(Capability.STORAGE, "other").name == "other"
    [clash] = plugins.listing().clashes
    assert (clash.capability, clash.name, [source.plugin for source in clash.sources]) == (Capability.STORAGE, "same", ["a", "b"])
    assert len(plugins.providers(Capability.STORAGE)) == 3


def test_two_capabilities_may_share_a_name() -> None:
    both = plugin("a", learnae_storages=lambda: [storage("same")], learnae_transports=lambda: [storage("same")])
    plugins = Plugins.of(both)
    assert plugins.clashes() == ()
    assert plugins.storage_for("same") == "same"


def test_a_transport_without_a_storage_of_its_name_needs_one_chosen() -> None:
    plugins = Plugins.of(storages("a", storage("other")))
    with pytest.raises(
        ProviderError, match=r"^no storage comes with the transport 'x'; choose one with network.storage; installed: other$"
    ):
        plugins.storage_for("x")


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        pytest.param(refuse, "RuntimeError: no, thank you", id="raises"),
        pytest.param(leave, "SystemExit: 3", id="exits"),
        pytest.param(lambda: None, "returned NoneType instead of a list of Provider", id="nothing"),
        pytest.param(lambda: "ipfs", "returned str instead of a list of Provider", id="text"),
        pytest.param(lambda: 3, "returned int instead of a list of Provider", id="number"),
        pytest.param(lambda: ["ipfs"], "returned str where a Provider belongs", id="list-of-texts"),
        pytest.param(lambda: (refuse() for _ in range(1)), "RuntimeError: no, thank you", id="generator-that-raises"),
        pytest.param(lambda: [storage("IPFS")], "the name 'IPFS' cannot be typed", id="capitals"),
        pytest.param(lambda: [storage("a\n")], "cannot be typed", id="line-end"),
        pytest.param(lambda: [storage(3)], "the name 3 cannot be typed", id="number-as-name"),  # type: ignore[arg-type]  # on purpose
        pytest.param(lambda: [Provider("a", 3, refuse)], "the summary of 'a' is no text", id="summary"),  # type: ignore[arg-type]  # the same
        pytest.param(lambda: [Provider("a", "", 3)], "open or check of 'a' cannot be called", id="open"),  # type: ignore[arg-type]  # the same
        pytest.param(lambda: [storage("a", check=3)], "open or check of 'a' cannot be called", id="check"),
        pytest.param(lambda: [Provider("a", "", refuse, [])], "must be a tuple of Option", id="options"),  # type: ignore[arg-type]  # the same
        pytest.param(lambda: [storage("a", Option("B", 1, ""))], "must be a tuple of Option", id="option-name"),
        pytest.param(lambda: [storage("a", Option("b", 1, "", "-b"))], "must be a tuple of Option", id="option-flag"),
        pytest.param(
            lambda: [storage("a", Option("b", 1, ""), Option("b", 2, ""))], "two options of 'a'", id="options-of-one-name"
        ),
        pytest.param(lambda: [storage("a", "b")], "must be a tuple of Option", id="text-as-option"),  # type: ignore[arg-type]  # the same
    ],
)
def test_a_hook_that_fails_is_recorded_and_silences_nobody(
    hook: Callable[[], object], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = plugin("stranger", learnae_storages=hook, learnae_transports=lambda: [storage("fine")])
    plugins = Plugins.of(storages("a", storage("one")), stranger, storages("z", storage("two")))
    assert [each.provider.name for each in plugins.providers()] == ["one", "two", "fine"]
    [failure] = plugins.failures
    assert (failure.source.plugin, failure.hook) == ("stranger", "learnae_storages")
    assert error in failure.error
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    ("stranger", "error"),
    [
        pytest.param(plugin("s", learnae_storage=refuse), "unknown hook 'learnae_storage'", id="hook-that-does-not-exist"),
        pytest.param(plugin("s", learnae_storages=lambda more: []), "more", id="argument-that-does-not-exist"),
        pytest.param(plugin("s"), "it implements no hook; put @hookimpl above", id="no-hook"),
    ],
)
def test_a_plugin_that_does_not_fit_is_recorded_as_a_whole(stranger: ModuleType, error: str) -> None:
    plugins = Plugins.of(stranger, storages("a", storage("one")))
    [failure] = plugins.failures
    assert failure.hook is None
    assert error in failure.error
    assert [each.provider.name for each in plugins.providers()] == ["one"]


def test_the_listing_can_be_written_and_read_as_json() -> None:
    plugins = Plugins.of(
        storages("a", storage("one", Option("folder", None, "Where.", "--folder", path=True))),
        plugin("b", learnae_storages=refuse),
    )
    listing = plugins.listing()
    assert msgspec.json.decode(msgspec.json.encode(listing), type=Listing) == listing
    assert msgspec.json.decode(msgspec.json.encode(listing))["providers"] == [
        {
            "capability": "storage",
            "name": "one",
            "summary": "Storage one.",
            "source": {"plugin": "a", "distribution": None, "version": None},
            "options": [{"name": "folder", "default": None, "summary": "Where.", "flag": "--folder"}],
        }
    ]


OPTIONS = (
    Option("folder", None, "Where.", "--folder", path=True),
    Option("label", "x", "What."),
    Option("poll_s", 1.0, "How often."),
    Option("many", 3, "How many."),
    Option("on", True, "Whether."),
)


def test_options_are_filled_in_and_converted(context: Context) -> None:
    plugins = Plugins.of(storages("a", storage("one", *OPTIONS)))
    assert set(plugins.options()) == {f"plugins.one.{option.name}" for option in OPTIONS}
    opened: Any = plugins.open(Capability.STORAGE, "one", context)
    assert opened.options == {"folder": None, "label": "x", "poll_s": 1.0, "many": 3, "on": True}
    as_text: Any = plugins.open(
        Capability.STORAGE, "one", given(context, folder="/x", label="7", poll_s="0.5", many="4", on="False")
    )
    assert as_text.options == {"folder": "/x", "label": "7", "poll_s": 0.5, "many": 4, "on": False}
    as_values: Any = plugins.open(Capability.STORAGE, "one", given(context, folder="", poll_s=2, many=5, on=False))
    assert as_values.options == {"folder": None, "label": "x", "poll_s": 2.0, "many": 5, "on": False}
    assert type(as_values.options["poll_s"]) is float


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"poll_s": "often"}, "plugins.one.poll_s = 'often' cannot be used; accepted: a number", id="not-a-number"),
        pytest.param({"poll_s": float("inf")}, "accepted: a number", id="infinite"),
        pytest.param({"poll_s": 10**400}, "accepted: a number", id="beyond-floats"),
        pytest.param({"poll_s": True}, "plugins.one.poll_s = True", id="truth-for-a-number"),
        pytest.param({"many": 1.5}, "accepted: a whole number", id="fraction"),
        pytest.param({"many": "1.5"}, "accepted: a whole number", id="fraction-as-text"),
        pytest.param({"on": 1}, "accepted: true or false", id="number-for-a-truth"),
        pytest.param({"on": "yes"}, "accepted: true or false", id="yes"),
        pytest.param({"label": 3}, "accepted: a text", id="number-for-a-text"),
        pytest.param({"folder": 3}, "accepted: a text", id="number-for-a-text-without-default"),
        pytest.param({"label": None}, "accepted: a text", id="nothing-for-a-text"),
        pytest.param({"fodler": "x"}, "plugins.one has no option 'fodler'; did you mean 'folder'", id="slip"),
        pytest.param({"zzz": "x"}, "has no option 'zzz'; it has folder, label, many, on, poll_s", id="nothing-alike"),
    ],
)
def test_options_that_do_not_fit_are_refused(context: Context, options: dict[str, object], words: str) -> None:
    plugins = Plugins.of(storages("a", storage("one", *OPTIONS)))
    with pytest.raises(ConfigError) as caught:
        plugins.open(Capability.STORAGE, "one", given(context, **options))
    assert words in str(caught.value)
    with pytest.raises(ConfigError):
        plugins.check_sections({"one": options})


def test_a_section_serves_all_providers_of_its_name(context: Context) -> None:
    both = plugin(
        "a",
        learnae_storages=lambda: [storage("same", Option("depth", 1, "How far."))],
        learnae_transports=lambda: [storage("same", Option("poll_s", 1.0, "How often."))],
    )
    plugins = Plugins.of(both)
    section = given(context, depth=2, poll_s=3)
    opened: Any = plugins.open(Capability.STORAGE, "same", section)
    assert opened.options == {"depth": 2}
    heard: Any = plugins.open(Capability.TRANSPORT, "same", section)
    assert heard.options == {"poll_s": 3.0}
    plugins.check_sections({"same": section.options})


def test_a_context_can_have_the_options_of_all_providers_of_a_name(context: Context) -> None:
    both = plugin(
        "a",
        learnae_storages=lambda: [storage("same", Option("depth", 1, "How far."))],
        learnae_transports=lambda: [storage("same", Option("poll_s", 1.0, "How often."))],
    )
    plugins = Plugins.of(both)
    assert plugins.completed("same", given(context, depth="2")).options == {"depth": 2, "poll_s": 1.0}
    with pytest.raises(ConfigError, match=r"plugins\.same has no option 'deep'"):
        plugins.completed("same", given(context, deep=2))
    with pytest.raises(ProviderError, match=r"^no provider named 'sane'; installed: same; did you mean 'same'\?$"):
        plugins.completed("sane", context)


def test_a_section_of_no_plugin_is_refused() -> None:
    plugins = Plugins.of(storages("a", storage("localfs")), plugin("broken", learnae_storages=refuse))
    with pytest.raises(ConfigError, match=r"^plugins.localf: there is no plugin of that name; did you mean 'localfs'\?; failed"):
        plugins.check_sections({"localf": {}})
    with pytest.raises(ConfigError, match="installed: localfs; failed to load: broken"):
        plugins.check_sections({"zzz": {}})
    with pytest.raises(ConfigError, match=r"plugins.localfs has no option 'x'; it has no options"):
        plugins.check_sections({"localfs": {"x": 1}})


def test_what_open_raises_becomes_a_provider_error(context: Context) -> None:
    def unwell(context: Context) -> Any:
        message = "the daemon sleeps"
        raise UnavailableError(message)

    plugins = Plugins.of(
        storages("a", storage("bad", open=refuse), storage("gone", open=leave), storage("empty", open=lambda context: None)),
        storages("b", storage("unwell", open=unwell)),
    )
    with pytest.raises(
        ProviderError, match=r"^the storage 'bad' of the module a cannot be opened: RuntimeError: no, thank you$"
    ) as caught:
        plugins.open(Capability.STORAGE, "bad", context)
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(ProviderError, match="cannot be opened: SystemExit: 3"):
        plugins.open(Capability.STORAGE, "gone", context)
    with pytest.raises(ProviderError, match="cannot be opened: it returned nothing"):
        plugins.open(Capability.STORAGE, "empty", context)
    with pytest.raises(UnavailableError, match="the daemon sleeps"):
        plugins.open(Capability.STORAGE, "unwell", context)


def test_a_check_reports_and_one_that_fails_is_a_finding(context: Context) -> None:
    def look(context: Context) -> Sequence[Finding]:
        return [Finding(ok=False, text=f"depth {context.options['depth']}", advice="dig")]

    plugins = Plugins.of(storages("a", storage("one", Option("depth", 2, "How far."), check=look), storage("bad", check=refuse)))
    assert plugins.check(Capability.STORAGE, "one", context) == (Finding(ok=False, text="depth 2", advice="dig"),)
    [finding] = plugins.check(Capability.STORAGE, "bad", context)
    assert not finding.ok
    assert "the check of storage 'bad' failed: RuntimeError: no, thank you" in finding.text


def test_announcements_reach_everybody_and_failures_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []
    listener = plugin(
        "a",
        learnae_transition=lambda peer, change: heard.append((peer, change)),
        learnae_best_model=lambda record: heard.append(record),  # noqa: PLW0108  # pluggy goes by the arguments' names
        learnae_commands=lambda app: heard.append(app),  # noqa: PLW0108  # the same
    )
    plugins = Plugins.of(plugin("x", learnae_transition=refuse, learnae_best_model=leave, learnae_commands=refuse), listener)
    for _ in range(3):
        plugins.announce_transition(PEER, CHANGE)
    plugins.announce_best_model(PEER, RECORD)
    app: Any = object()
    plugins.add_commands(app, SettingsCommands(plugins))
    assert heard == [(PEER, CHANGE)] * 3 + [RECORD, app]
    hooks = ["learnae_transition", "learnae_best_model", "learnae_commands"]
    assert [failure.hook for failure in plugins.failures] == hooks
    assert len(caplog.records) == 3
