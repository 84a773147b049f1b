"""The framework ``numpy`` passes the exam."""

from collections.abc import Mapping

from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.interfaces.framework import ModelFramework
from learnae.testing.framework import FrameworkExam
from learnae.values.manifest import Manifest


class TestNumpy(FrameworkExam):
    def open_framework(self, manifest: Manifest, training: Mapping[str, object]) -> ModelFramework:
        return NumpyFramework(manifest, training)
