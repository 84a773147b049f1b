"""The peer's decisions, without clock, disk, network or weights: an event goes in, effects come out (sans-IO).

``Machine`` (in ``learnae.machine.machine``) is where to begin. What may happen is in ``events``, what it orders in ``effects``,
which event is legal when in ``transitions``, what it must remember in ``memory``. Each of the other modules holds one idea:
``board`` what others said, ``hearing`` and ``catching`` how it comes in, ``slices``, ``passes`` and ``spacing`` what is trained
on and when, ``folding`` what is averaged, ``files`` what others get, ``resting`` when the peer waits or finishes, ``fetching``
when something that failed is tried again, ``notebook`` and ``draws`` the memory's pen and the dice. Behind ``files`` stand
``offering`` and ``sharing``, which publish, ``retiring`` and ``keeping``, which say by ``policies`` how long own and foreign
files stay, and ``releasing`` and ``stocktaking``, which let go, and ``restocking``, which offers again what a storage lost.
"""
