"""The Tangle as the rest of the plugin uses it: bundles in, bundles out, whichever node answers."""
