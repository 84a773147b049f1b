"""What the driver measures: the own model as others know it."""

from typing import Any

from learnae.machine.events import FileKind


def test_the_announced_model_is_the_one_that_others_were_told_of_last(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    assert it.machine.announced_model is None
    it.store(FileKind.MODEL, "model/initial")
    first = lab.model("model/initial", 0.5, at="model/initial")
    assert it.machine.announced_model == first
    it.cut("slice/1")
    it.trained("model/1", 0.6)
    assert it.machine.announced_model == first, "the new one is not stored yet"
    it.store(FileKind.MODEL, "model/1")
    assert it.machine.announced_model is not None
    assert it.machine.announced_model.record.digest == lab.named("model/1")
    it.restore()
    assert it.machine.announced_model.record.digest == lab.named("model/1")
