"""Training of the animator: rigs and expressions in, the network out."""
