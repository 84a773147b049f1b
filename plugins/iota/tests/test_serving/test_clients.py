"""Deployed clients on this node: PyOTA 2.1.0, and mam.js with @iota/core.

``MAMJS_FOLDER`` names a folder in which ``@iota/mam.js`` 1.0.0-beta.10 is installed; without it, what needs it is skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from learnae_iota.bundles.bundles import Posting
from learnae_iota.nodes.pyota import import_pyota
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import open_tangle
from serving_rig import until

from learnae.errors import ProviderError

WEIGHT = 5
SCRIPT = Path(__file__).parent / "mam_stream.js"


@pytest.fixture(scope="module")
def living() -> Iterator[DevelopmentNode]:
    """A node whose time is today's, as clients have it."""
    with node_in_thread(settings=NodeSettings(weight=WEIGHT, milestone_interval_s=0.05)) as node:
        yield node


@pytest.mark.parametrize("work_on_nodes", [False, True])
def test_our_own_client_sends_and_reads(work_on_nodes: bool, living: DevelopmentNode) -> None:
    tangle = open_tangle([living.url], weight=WEIGHT, work_on_nodes=work_on_nodes)
    try:
        (look,) = tangle.look()
        assert (look.trouble, look.ahead_ms) == ("", 0)
        posting = Posting("C" * 81, "OURS" * 3000, "OURS")
        sent = [tangle.send([posting]), tangle.send([posting])]
        for bundle in sent:
            until(lambda tail=bundle.tail: tangle.is_confirmed([tail]))
        fetched = tangle.fetch(Query(tags=("OURS",)))
        assert {bundle.hash for bundle in fetched.bundles} >= {bundle.hash for bundle in sent}
    finally:
        tangle.close()


@pytest.fixture
def iota() -> Any:
    try:
        return import_pyota()
    except ProviderError as exc:
        pytest.skip(str(exc))


@pytest.mark.slow
def test_pyota_sends_finds_reads_and_sends_again(iota: Any, living: DevelopmentNode) -> None:
    api = iota.Iota(living.url, seed="S" * 81)
    assert api.get_node_info()["latestMilestoneIndex"] >= 1
    text, tag = "what PyOTA writes " * 200, iota.Tag("PYOTA")
    proposed = iota.ProposedTransaction(
        address=iota.Address("B" * 81), value=0, tag=tag, message=iota.TryteString.from_unicode(text)
    )
    bundle = api.send_transfer(depth=3, transfers=[proposed], min_weight_magnitude=WEIGHT)["bundle"]
    tail = bundle.tail_transaction.hash
    hashes = api.find_transactions(tags=[tag])["hashes"]
    assert set(hashes) == {transaction.hash for transaction in bundle}
    until(lambda: all(api.get_latest_inclusion(hashes)["states"].values()))
    assert api.get_bundles(tail)["bundles"][0].get_messages() == [text]
    again = iota.Bundle.from_tryte_strings(api.replay_bundle(tail, depth=3, min_weight_magnitude=WEIGHT)["trytes"])
    assert again.hash == bundle.hash
    assert again.tail_transaction.hash != tail
    assert len(api.find_transactions(bundles=[bundle.hash])["hashes"]) == 2 * len(bundle)
    assert api.promote_transaction(tail, depth=3, min_weight_magnitude=WEIGHT)["bundle"]
    assert api.check_consistency(tails=[tail])["state"] is True
    assert api.get_tips()["hashes"]
    assert api.get_missing_transactions()["hashes"] == []
    assert api.get_balances(["B" * 81])["balances"] == [0]
    assert api.were_addresses_spent_from(["B" * 81])["states"] == [False]
    assert api.get_account_data() == {"addresses": [], "balance": 0, "bundles": []}
    assert "maxGetTrytes" in api.get_node_api_configuration()
    assert api.get_neighbors()["neighbors"] == []
    assert api.add_neighbors(["udp://127.0.0.1:1"])["addedNeighbors"] == 0
    assert api.remove_neighbors(["udp://127.0.0.1:1"])["removedNeighbors"] == 0
    assert "duration" in api.interrupt_attaching_to_tangle()
    with pytest.raises(iota.BadApiResponse, match="400 response from node: invalid transaction hash"):
        api.broadcast_transactions(["9" * 2673])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["public", "private", "restricted"])
def test_mam_js_streams_over_it(mode: str, living: DevelopmentNode) -> None:
    folder, program = os.environ.get("MAMJS_FOLDER"), shutil.which("node")
    if not folder or program is None:
        pytest.skip("MAMJS_FOLDER names no folder with mam.js, or there is no node to run it")
    done = subprocess.run(
        [program, SCRIPT, folder, living.url, str(WEIGHT), mode], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["one,two", "3", "true", "3", "3"]
