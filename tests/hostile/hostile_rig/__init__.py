"""An attack rig: a real peer as a process of its own, a shared folder, and strangers who write hostile things into it."""
