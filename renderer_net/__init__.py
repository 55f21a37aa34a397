"""What a rig would look like with given controls, learned (the Avatars milestone fills this)."""
