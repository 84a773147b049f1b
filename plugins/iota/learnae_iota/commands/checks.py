"""What ``learnae check`` says of the Tangle; nothing here creates or sends anything."""

from collections.abc import Iterator

from learnae.errors import LearnaeError
from learnae.interfaces.provider import Finding
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.bundles.work import weight_of
from learnae_iota.nodes.client import open_client
from learnae_iota.nodes.node import Node, NodeInfo
from learnae_iota.nodes.several import Look, Nodes
from learnae_iota.serving.embedded import running_node, shared_folder
from learnae_iota.settings import TangleSettings

_CALL_S = 5.0
_ASKED_FOR_TIPS = 8
_ENOUGH_TIPS = 6
_HAS_COORDINATOR = "HORNET"
_OLD_S = 600


def look_at_tangle(settings: TangleSettings) -> list[Finding]:
    """Look whether the nodes answer, know the ledger, agree on the time, and demand the weight that is set."""
    if not settings.nodes:
        return _look_at_development_node(settings)
    nodes: list[Node] = []
    patience_s = min(settings.timeout_s, _CALL_S)
    try:
        nodes += [Node(open_client(url, settings.client, timeout_s=patience_s)) for url in settings.nodes]
        looks = Nodes(nodes).look()
        findings = [finding for look in looks for finding in _about(look, settings)]
        ready = [(node, look.info) for node, look in zip(nodes, looks, strict=True) if look.info is not None and not look.trouble]
        if not ready:
            advice = "start a node, such as `learnae tangle serve`, or name others with --iota-node"
            return [*findings, Finding(False, "no node can be written to", advice)]
        node, info = ready[0]
        return [*findings, *_about_milestones(node, info), *_about_weight(node, settings.weight)]
    except LearnaeError as exc:
        return [Finding(False, str(exc), "learnae run --iota-node http://HOST:14265")]
    finally:
        for node in nodes:
            node.close()


def _about(look: Look, settings: TangleSettings) -> Iterator[Finding]:
    if look.info is None:
        advice = "leave it out of --iota-node" if look.is_other else "start it, or leave it out of --iota-node"
        yield Finding(False, look.trouble if look.trouble.startswith(look.name) else f"{look.name}: {look.trouble}", advice)
        return
    if look.trouble:
        yield Finding(False, look.trouble, "wait until it is, or name another one first")
        return
    yield Finding(True, f"{look.name} answers: {look.info.program}, synchronised at milestone {look.info.milestone}")
    if look.ahead_ms:
        way = "ahead of" if look.ahead_ms > 0 else "behind"
        text = f"the clock of {look.name} is {abs(look.ahead_ms) / 1000:.0f} s {way} this machine's; the node's is used"
        yield Finding(False, text, "timedatectl set-ntp true, where the clock is wrong")
    if settings.work_on_nodes and not look.info.works:
        yield Finding(True, f"{look.name} does no proof of work for others: it is done here")


def _about_milestones(node: Node, info: NodeInfo) -> list[Finding]:
    """Look how old the last milestone is, where a coordinator sets them all the time: it may have ended."""
    if not info.program.startswith(_HAS_COORDINATOR) or info.milestone_hash in {"", NULL_HASH}:
        return []
    try:
        milestone = node.transactions([info.milestone_hash]).get(info.milestone_hash)
    except LearnaeError as exc:
        return [Finding(False, f"its last milestone cannot be read: {exc}", "look at the node's log")]
    old_s = 0 if milestone is None else info.time_ms // 1000 - milestone.timestamp_s
    if old_s <= _OLD_S:
        return []
    text = f"the last milestone of {node.name} is {old_s // 60} minutes old: nothing is confirmed"
    return [Finding(False, text, "ask who runs the coordinator whether it still does")]


def _about_weight(node: Node, weight: int) -> list[Finding]:
    """Compare the weight that is set with that of tips, which nodes do not tell: none of them can be below the demand."""
    weights: dict[str, int] = {}
    try:
        for _ in range(_ASKED_FOR_TIPS):
            tips = node.tips()
            weights |= {tip: weight_of(tip) for tip in (tips.trunk, tips.branch) if tip != NULL_HASH}
    except LearnaeError as exc:
        return [Finding(False, f"no tips come: {exc}", "look at the node's log; does its coordinator run?")]
    least = min(weights.values(), default=weight)
    if least < weight:
        return [Finding(True, f"a weight magnitude of {weight}; there are transactions of {least}, so less would do")]
    if len(weights) >= _ENOUGH_TIPS and least > weight:
        text = f"a weight magnitude of {weight}, and none of {len(weights)} transactions has less than {least}"
        return [Finding(False, text, f"ask who runs the coordinator; --set plugins.iota.weight={least}")]
    return [Finding(True, f"a weight magnitude of {weight}; nothing on the tangle contradicts that")]


def _look_at_development_node(settings: TangleSettings) -> list[Finding]:
    folder = settings.folder or shared_folder()
    findings = []
    if settings.client != "plain":
        try:
            open_client("http://127.0.0.1:14265", settings.client).close()
            findings.append(Finding(True, "PyOTA is there"))
        except LearnaeError as exc:
            findings.append(Finding(False, str(exc), "--set plugins.iota.client=plain"))
    try:
        found = running_node(folder)
    except OSError as exc:
        return [*findings, Finding(False, f"{folder}: {exc.strerror or exc}", "learnae run --iota-node http://HOST:14265")]
    if found is None:
        text = f"no node is named: a development node of this machine will be started, its ledger in {folder}"
    elif found.settings.weight != settings.weight:
        text = f"the development node at {found.url} demands a weight magnitude of {found.settings.weight}, not {settings.weight}"
        return [*findings, Finding(False, text, f"--set plugins.iota.weight={found.settings.weight}")]
    else:
        text = f"no node is named: the development node of this machine runs at {found.url}"
    return [*findings, Finding(True, f"{text}; a community in earnest names HORNET nodes with --iota-node")]
