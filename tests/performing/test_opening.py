"""What a machine is told, from what the operator chose."""

from pathlib import Path

import pytest

from learnae.codec.manifests import session_id
from learnae.config.settings import NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.performing.opening import STREAM_SPACING, make_rules
from learnae.testing.rows import toy_manifest
from learnae.values.ids import Digest, PeerId


@pytest.mark.parametrize(
    ("given", "sensors", "told"),
    [
        pytest.param(None, (), 0, id="rows from a file are there at once"),
        pytest.param(None, ("localfs",), STREAM_SPACING, id="rows of sensors come one by one"),
        pytest.param(0, ("localfs",), 0, id="the operator may do without"),
        pytest.param(5, (), 5, id="or ask for it"),
    ],
)
def test_passes_are_spaced_where_sensors_are_read(given: int | None, sensors: tuple[str, ...], told: int) -> None:
    manifest = toy_manifest()
    settings = PeerSettings(
        peer=PeerSection(session=Path("session.json")),
        training=TrainingSection(pass_spacing=given),
        network=NetworkSection(sensors=sensors),
    )
    rules = make_rules(settings, manifest, session_id(manifest), PeerId("1" * 64), Digest("2" * 64))
    assert rules.pass_spacing == told
