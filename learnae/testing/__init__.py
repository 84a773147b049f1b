"""What plugin authors test with: an exam for each interface, and deterministic faults.

====================================  ==========================================================
``learnae.testing.transport``         ``TransportExam``
``learnae.testing.storage``           ``StorageExam``
``learnae.testing.sensors``           ``SensorSourceExam``
``learnae.testing.framework``         ``FrameworkExam``
``learnae.testing.faults``            ``Fault``, ``FaultyTransport``, ``FaultyStorage``
====================================  ==========================================================

Import from these modules: this one imports nothing, so that an exam costs what it needs and no more.
"""
