"""What runs in engines: receivers for Godot, Unity and Blender; package data, not imported."""
