"""What an avatar is: controls, meshes, conventions, file readers, registration, renders."""
