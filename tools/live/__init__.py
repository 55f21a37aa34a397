"""freeavatar live: capture, tracking and sending, each at its own pace."""
