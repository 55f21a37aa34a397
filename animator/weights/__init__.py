"""The animator that ships, with its model card: none yet (`ANIMATOR_BY_DEFAULT` says so)."""
