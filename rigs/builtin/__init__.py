"""The rigs that ship with FreeAvatar and the code that models them."""
