"""Virtual machines and wires for trying the collection on real kernels, without root and without a daemon."""
