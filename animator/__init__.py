"""How a rig's controls must move to say what an expression says."""
