"""The framework ``jax`` passes the exam."""

from collections.abc import Mapping

import pytest

from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.interfaces.framework import ModelFramework
from learnae.testing.framework import FrameworkExam
from learnae.values.manifest import Manifest


@pytest.mark.usefixtures("compiled_once")
class TestJax(FrameworkExam):
    def open_framework(self, manifest: Manifest, training: Mapping[str, object]) -> ModelFramework:
        return JaxFramework(manifest, training)
