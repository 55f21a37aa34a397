"""Readers of rig files: glTF/GLB, VRM and folders of OBJ shapes."""
