"""Many peers in one process under a virtual clock: seeded, repeatable, and without a rule of the algorithm.

``Simulation`` (in ``learnae.simulation.simulation``) is where to begin.
"""
